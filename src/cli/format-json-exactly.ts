type JsonWithSource = typeof JSON & { rawJSON(text: string): unknown };
type Reviver = (key: string, value: unknown, context: { readonly source?: string }) => unknown;

/**
 * Canonical JSON, indented for people. Numbers stay as they are written: `JSON.parse` alone would lose the last digits
 * of whole numbers above 2^53.
 */
export function formatJsonExactly(canonical: string): string {
  const { rawJSON } = JSON as JsonWithSource;
  const keepNumber: Reviver = (_, value, { source }) =>
    typeof value === "number" && source !== undefined ? rawJSON(source) : value;
  const value: unknown = JSON.parse(canonical, keepNumber as Parameters<typeof JSON.parse>[1]);
  return JSON.stringify(value, undefined, 2);
}
