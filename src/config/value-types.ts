import * as z from "zod/mini";
import { toMessage } from "../lib/errors.ts";
import { isLoopback } from "../lib/loopback.ts";
import { parsePostgresUrl } from "../lib/postgres-url.ts";

/** A type of configuration value: what a file may hold, and how a flag or the environment writes it as text. */
export interface ValueType<T> {
  /** Checks a value, and translates it. */
  readonly schema: z.ZodMiniType<T>;
  /** Completes "expected ..." in errors. */
  readonly expected: string;
  /** Returns why a value is refused, without its text; undefined if it is not. Default: "expected ...". */
  readonly explain?: (value: unknown) => string | undefined;
  /** The value that a text stands for, still to be checked. */
  readonly fromText: (text: string) => unknown;
  /** Placeholder of the value in help; unset for a switch: `--name` and `--no-name`. */
  readonly placeholder?: string;
}

/** Any text that is not empty. */
export function text(placeholder: string, expected = "a text"): ValueType<string> {
  return { schema: z.string().check(z.minLength(1)), expected, fromText: (value) => value, placeholder };
}

/** A TCP port; 0 is any free one. */
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

/** A list of at most `most` values that `item` checks; as a text separated by commas. */
export function list<T>(
  item: z.ZodMiniType<T>,
  placeholder: string,
  expected: string,
  most = Number.POSITIVE_INFINITY,
): ValueType<readonly T[]> {
  const fromText = (value: string): string[] =>
    value === "" ? [] : value.split(",").map((part) => part.trim());
  return { schema: z.array(item).check(z.maxLength(most)), expected, fromText, placeholder };
}

/** The URL of a server, without credentials. */
export const httpUrl: ValueType<string> = baseUrl(["http:", "https:"], "a URL such as http://127.0.0.1:7070");

/**
 * A URL below which a program sends requests. Errors and logs name it, so it must not contain credentials; a query
 * would be lost.
 */
export function baseUrl(protocols: readonly string[], expected: string): ValueType<string> {
  return {
    schema: z.string().check(z.refine((value) => hasProtocol(value, protocols) && !explainUrl(value))),
    expected,
    explain: explainUrl,
    fromText: (value) => value,
    placeholder: "url",
  };
}

/** The URL of a single resource, which may have a query with a key. Nothing prints it. */
export const endpointUrl: ValueType<string> = {
  schema: z.string().check(z.refine((value) => hasProtocol(value, ["http:", "https:"]))),
  expected: "a URL such as http://127.0.0.1:4318/v1/traces",
  fromText: (value) => value,
  placeholder: "url",
};

function hasProtocol(value: string, protocols: readonly string[]): boolean {
  return protocols.includes(URL.parse(value)?.protocol ?? "");
}

function explainUrl(value: unknown): string | undefined {
  const url = typeof value === "string" ? URL.parse(value) : null;
  if (url === null) {
    return undefined;
  }
  if (url.username !== "" || url.password !== "") {
    return "expected no user and no password in the URL; use a file with a token";
  }
  return url.search === "" && url.hash === "" ? undefined : 'expected a URL without "?" and "#"';
}

/** The URL of a Postgres database. */
export const postgresUrl: ValueType<string> = {
  schema: z.string().check(z.refine((value) => explainPostgresUrl(value) === undefined)),
  expected: "a URL such as postgres://user:password@host:5432/database",
  explain: explainPostgresUrl,
  fromText: (value) => value,
  placeholder: "url",
};

function explainPostgresUrl(value: unknown): string | undefined {
  try {
    parsePostgresUrl(String(value));
    return undefined;
  } catch (error) {
    return toMessage(error);
  }
}

const millisecondsPer = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const bytesPer = { B: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 };

/** A length of time, in milliseconds; written "500ms", "10s", "10m", "1h30m", "7d". Longer than none. */
export const duration: ValueType<number> = {
  schema: toQuantity(millisecondsPer),
  expected: 'a duration such as "10s", "10m" or "1h30m"',
  fromText: (value) => value,
  placeholder: "duration",
};

/** A size, in bytes; written "512KiB", "4MiB". More than none. */
export const byteSize: ValueType<number> = {
  schema: toQuantity(bytesPer),
  expected: 'a size such as "512KiB" or "4MiB"',
  fromText: (value) => value,
  placeholder: "size",
};

/** Whole numbers with units, added up. A number without a unit is refused because it is ambiguous. */
function toQuantity(units: Readonly<Record<string, number>>): z.ZodMiniType<number> {
  const unit = Object.keys(units).join("|");
  const whole = new RegExp(`^(\\d{1,9}(${unit}))+$`);
  const part = new RegExp(`(\\d+)(${unit})`, "g");
  const sum = (value: string): number =>
    value
      .matchAll(part)
      .reduce((total, [, count, name = ""]) => total + Number(count) * (units[name] ?? 0), 0);
  return z.pipe(z.string().check(z.regex(whole)), z.pipe(z.transform(sum), z.int().check(z.minimum(1))));
}

/** An address that only this machine reaches, for programs that take every caller. */
export const loopbackHost: ValueType<string> = {
  schema: z.string().check(z.refine(isLoopback)),
  expected: "a loopback address (127.0.0.1, ::1, localhost), because dev does not authenticate callers",
  fromText: (value) => value,
  placeholder: "address",
};

/** True if others on the network could read what is sent to this URL: another machine, without TLS. */
export function isExposed(url: string): boolean {
  const { protocol, hostname } = new URL(url);
  return protocol === "http:" && !isLoopback(hostname.replace(/^\[(.*)\]$/, "$1"));
}
