import { stringify } from "yaml";

/** A value that JSON can hold, as JSON or as YAML. */
export function formatJson(value: unknown, format: "json" | "yaml"): string {
  return format === "json" ? `${JSON.stringify(value, undefined, 2)}\n` : stringify(value);
}
