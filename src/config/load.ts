import { readFileSync } from "node:fs";
import { parseDocument } from "yaml";
import { ConfigError, toMessage } from "../lib/errors.ts";
import { type Field, type Fields, toFlag, toVariable, type ValuesOf } from "./field.ts";

/** Returns the environment of this process. No other code reads it. */
export function readEnvironment(): Readonly<Record<string, string | undefined>> {
  return process.env;
}

/**
 * True if Kubernetes set the variable. A Pod sees every Service of its namespace as variables, and those of a Service
 * named `evenkeel` or `evenkeel-...` have our prefix, for example `EVENKEEL_PORT=tcp://10.0.0.1:7070`.
 */
function isServiceLink(name: string, value: string): boolean {
  return (
    /_SERVICE_(HOST|PORT)(_|$)/.test(name) ||
    /_PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?$/.test(name) ||
    (/_PORT$/.test(name) && /^(tcp|udp|sctp):\/\//.test(value))
  );
}

/**
 * Creates the error for a configuration that is not valid, with a line for each problem: "key: problem;
 * remedy".
 */
export function invalidConfig(...problems: readonly string[]): ConfigError {
  return new ConfigError(["the configuration is not valid:", ...problems].join("\n  "));
}

/** Where configuration comes from. */
export interface ConfigSources {
  /** Flags by key, as given: `config` names the file. */
  readonly flags: Readonly<Record<string, unknown>>;
  /** The environment of the process. */
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** A value and where it was found. */
interface Found {
  readonly value: unknown;
  /** For errors: "flag --port". */
  readonly origin: string;
}

/**
 * The values of a program's keys: from flags, else the environment, else the file, else the default.
 *
 * @param knownKeys keys of all programs, because they share one environment: a variable of none of them is
 * refused.
 * @throws ConfigError that lists all problems, each with its key, its origin, the expected and the found
 * value.
 */
export function loadConfig<F extends Fields>(
  fields: F,
  knownKeys: readonly string[],
  { flags, environment }: ConfigSources,
): ValuesOf<F> {
  const path = flags["config"] ?? environment["EVENKEEL_CONFIG"];
  const file = typeof path === "string" ? readConfigFile(path) : {};
  const problems = [
    ...unknownVariables(environment, knownKeys),
    ...unknownKeys(file, fields, `file ${path}`),
  ];
  const values: Record<string, unknown> = {};
  for (const [key, field] of Object.entries(fields)) {
    const found = findValue(key, field, { flags, environment, file, path: String(path) });
    if (found !== undefined) {
      const result = field.type.schema.safeParse(found.value);
      values[key] = result.data;
      problems.push(...(result.success ? [] : [toProblem(key, field, found)]));
    } else if (field.optional === true) {
      values[key] = undefined;
    } else {
      problems.push(
        `${key}: required; set ${toFlag(key)}, ${toVariable(key)}, or ${key} in the --config file`,
      );
    }
  }
  if (problems.length > 0) {
    throw invalidConfig(...problems);
  }
  // Every key has been checked by its own schema.
  return values as ValuesOf<F>;
}

function findValue(
  key: string,
  { type, fallback }: Field<unknown>,
  {
    flags,
    environment,
    file,
    path,
  }: ConfigSources & { file: Readonly<Record<string, unknown>>; path: string },
): Found | undefined {
  const fromText = (value: unknown): unknown => (typeof value === "string" ? type.fromText(value) : value);
  if (flags[key] !== undefined) {
    return { value: fromText(flags[key]), origin: `flag ${toFlag(key)}` };
  }
  const variable = environment[toVariable(key)];
  if (variable !== undefined && !isServiceLink(toVariable(key), variable)) {
    return { value: fromText(variable), origin: `environment ${toVariable(key)}` };
  }
  if (Object.hasOwn(file, key)) {
    return { value: file[key], origin: `file ${path}` };
  }
  return fallback === undefined ? undefined : { value: fallback, origin: "default" };
}

function unknownVariables(environment: ConfigSources["environment"], knownKeys: readonly string[]): string[] {
  const known = new Set(["config", ...knownKeys].map(toVariable));
  return Object.entries(environment)
    .filter(([name, value = ""]) => name.startsWith("EVENKEEL_") && !isServiceLink(name, value))
    .filter(([name]) => !known.has(name))
    .map(([name]) => `${name} (environment): unknown variable; remove it`);
}

function unknownKeys(file: Readonly<Record<string, unknown>>, fields: Fields, origin: string): string[] {
  return Object.keys(file)
    .filter((key) => !Object.hasOwn(fields, key))
    .map((key) => `${key} (${origin}): unknown key; expected one of ${Object.keys(fields).join(", ")}`);
}

function toProblem(key: string, { type, secret }: Field<unknown>, { value, origin }: Found): string {
  const found = secret ? "" : `, found ${JSON.stringify(value)}`;
  return `${key} (${origin}): expected ${type.expected}${found}`;
}

/**
 * The keys and values of a YAML file.
 *
 * @throws ConfigError when it cannot be read, is no YAML, or is no mapping at its top.
 */
function readConfigFile(path: string): Readonly<Record<string, unknown>> {
  const document = parseDocument(read(path), { prettyErrors: true });
  const [problem] = document.errors;
  if (problem !== undefined) {
    throw new ConfigError(`configuration file ${path}: not valid YAML: ${problem.message}`, {
      cause: problem,
    });
  }
  const content: unknown = document.toJS();
  if (content === null) {
    return {};
  }
  if (typeof content !== "object" || Array.isArray(content)) {
    throw new ConfigError(
      `configuration file ${path}: expected a mapping of keys to values, found ${JSON.stringify(content)}`,
    );
  }
  return { ...content };
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    throw new ConfigError(`configuration file ${path}: cannot be read: ${toMessage(cause)}`, { cause });
  }
}
