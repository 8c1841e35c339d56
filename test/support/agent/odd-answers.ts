import type { Random } from "../../../src/lib/random.ts";

/** A text that an API server may serve, and a name for it in failures. */
export interface OddText {
  readonly name: string;
  readonly text: string;
}

const ALPHABETS = ["x", "é", "漢", "😀", "ا", "A", "%", "/", " "];

/** Returns texts of 0, `limit`, `limit` + 1 and 10 × `limit` characters, and texts with odd characters. */
export function oddTexts(random: Random, limit: number): OddText[] {
  const unit = (): string => ALPHABETS[Math.floor(random.float() * ALPHABETS.length)] ?? "x";
  const repeated = [0, limit, limit + 1, 10 * limit].map((length) => {
    const one = unit();
    return { name: `${length} times ${one}`, text: one.repeat(length) };
  });
  const plain = [limit, limit + 1].map((length) => ({ name: `${length} times x`, text: "x".repeat(length) }));
  return [
    ...repeated,
    ...plain,
    { name: "NUL", text: "a\0b" },
    { name: "half of a pair", text: "a\ud800b" },
    { name: "the other half", text: "\udc00" },
    { name: "a dot", text: "." },
    { name: "two dots", text: ".." },
    { name: "a slash", text: "a/b" },
    { name: "a line", text: "a\nb" },
  ];
}

/** A place of a text in a JSON value, as the names and indexes that lead to it. */
export type TextPath = readonly (string | number)[];

/** Returns the places of all texts in a JSON value. */
export function textPaths(value: unknown, path: TextPath = []): TextPath[] {
  if (typeof value === "string") {
    return [path];
  }
  if (typeof value !== "object" || value === null) {
    return [];
  }
  const entries: [string | number, unknown][] = Array.isArray(value)
    ? [...value.entries()]
    : Object.entries(value);
  return entries.flatMap(([key, inner]) => textPaths(inner, [...path, key]));
}

/** Returns a copy of a JSON value with another text at a place; the value itself if it has no such place. */
export function replaceText(value: unknown, [key, ...rest]: TextPath, text: string): unknown {
  if (key === undefined) {
    return text;
  }
  if (typeof value !== "object" || value === null || !(key in value)) {
    return value;
  }
  const inner = replaceText((value as Record<string | number, unknown>)[key], rest, text);
  return Array.isArray(value) ? value.with(Number(key), inner) : { ...value, [key]: inner };
}
