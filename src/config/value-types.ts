import * as z from "zod/mini";

/** A type of configuration value: what a file may hold, and how a flag or the environment writes it as text. */
export interface ValueType<T> {
  /** Checks a value, and translates it. */
  readonly schema: z.ZodMiniType<T>;
  /** Completes "expected ...", for people. */
  readonly expected: string;
  /** The value that a text stands for, still to be checked. */
  readonly fromText: (text: string) => unknown;
  /** What help shows in the flag's place for the value; unset is a switch: `--name` and `--no-name`. */
  readonly placeholder?: string;
}

/** Any text that is not empty. */
export function text(placeholder: string, expected = "a text"): ValueType<string> {
  return { schema: z.string().check(z.minLength(1)), expected, fromText: (value) => value, placeholder };
}

/** A TCP port; 0 takes a free one. */
export const port: ValueType<number> = {
  schema: z.int().check(z.minimum(0), z.maximum(65_535)),
  expected: "a port from 0 to 65535",
  fromText: (value) => (/^\d+$/.test(value) ? Number(value) : value),
  placeholder: "port",
};

/** On or off. */
export const toggle: ValueType<boolean> = {
  schema: z.boolean(),
  expected: "true or false",
  fromText: (value) => (value === "true" ? true : value === "false" ? false : value),
};

/** One of these words. */
export function oneOf<const T extends string>(words: readonly T[]): ValueType<T> {
  const schema = z.enum(words);
  return { schema, expected: `one of ${words.join(", ")}`, fromText: (value) => value, placeholder: "word" };
}

/** A list of what `item` checks; as a text separated by commas. */
export function list<T>(
  item: z.ZodMiniType<T>,
  placeholder: string,
  expected: string,
): ValueType<readonly T[]> {
  const fromText = (value: string): string[] =>
    value === "" ? [] : value.split(",").map((part) => part.trim());
  return { schema: z.array(item), expected, fromText, placeholder };
}

/** The URL of a server. */
export const httpUrl: ValueType<string> = {
  schema: z.string().check(z.refine(isHttpUrl)),
  expected: "a URL such as http://127.0.0.1:7070",
  fromText: (value) => value,
  placeholder: "url",
};

/** The URL of a Postgres database. */
export const postgresUrl: ValueType<string> = {
  schema: z.string().check(z.regex(/^postgres(ql)?:\/\//)),
  expected: "a URL such as postgres://user:password@host:5432/database",
  fromText: (value) => value,
  placeholder: "url",
};

function isHttpUrl(value: string): boolean {
  const url = URL.parse(value);
  return url !== null && (url.protocol === "http:" || url.protocol === "https:");
}
