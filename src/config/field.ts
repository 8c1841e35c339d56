import type { ValueType } from "./value-types.ts";

/** One key of a program's configuration. */
export interface Field<T> {
  readonly type: ValueType<NonNullable<T>>;
  /** For `--help`: begins with a capital, ends without a full stop. */
  readonly description: string;
  /** The default, as written in a file. */
  readonly fallback?: unknown;
  /** May be unset, and has no default. */
  readonly optional?: true;
  /** Never printed. */
  readonly secret?: true;
}

/** The keys of a program's configuration. */
export type Fields = Readonly<Record<string, Field<unknown>>>;

/** The values of these keys. */
export type ValuesOf<F extends Fields> = { readonly [K in keyof F]: F[K] extends Field<infer T> ? T : never };

/** Creates a key that is required. */
export function required<T>(
  type: ValueType<T & {}>,
  description: string,
  extra?: { secret: true },
): Field<T> {
  return { type, description, ...extra };
}

/** Creates a key that may be unset. */
export function optional<T>(
  type: ValueType<T & {}>,
  description: string,
  extra?: { secret: true },
): Field<T | undefined> {
  return { type, description, optional: true, ...extra };
}

/** Creates a key with a default, written as in a file. */
export function withDefault<T>(type: ValueType<T & {}>, fallback: unknown, description: string): Field<T> {
  return { type, description, fallback };
}

/** The environment variable of a key: `databaseUrl` is `EVENKEEL_DATABASE_URL`. */
export function toVariable(key: string): string {
  return `EVENKEEL_${toWords(key).join("_").toUpperCase()}`;
}

/** The flag of a key: `databaseUrl` is `--database-url`. */
export function toFlag(key: string): string {
  return `--${toWords(key).join("-")}`;
}

function toWords(key: string): string[] {
  return key.split(/(?=[A-Z])/).map((word) => word.toLowerCase());
}

/** The configuration of a program: its keys, and their conversion. */
export interface Program<F extends Fields, Config> {
  readonly fields: F;
  /** The program's configuration as its parts take it: complete, with units in the names. */
  readonly toConfig: (values: ValuesOf<F>) => Config;
}

/** Ties a program's keys to its configuration. */
export function defineProgram<F extends Fields, Config>(
  fields: F,
  toConfig: (values: ValuesOf<F>) => Config,
): Program<F, Config> {
  return { fields, toConfig };
}
