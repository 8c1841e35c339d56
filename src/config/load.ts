import { readFileSync } from "node:fs";
import { ConfigError, toMessage } from "../lib/errors.ts";
import { hideCredentials } from "../lib/hide-credentials.ts";
import { readYaml, type YamlMapping } from "../lib/read-yaml.ts";
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
  /** True if the value is from a file, of which no error quotes anything: the value may be that of another key. */
  readonly isOfFile: boolean;
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
  const file = typeof path === "string" ? readConfigFile(path) : undefined;
  const problems = [
    ...unknownVariables(environment, knownKeys),
    ...(file === undefined ? [] : unknownKeys(file, fields)),
  ];
  const values: Record<string, unknown> = {};
  for (const [key, field] of Object.entries(fields)) {
    const found = findValue(key, field, { flags, environment, file });
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
  { flags, environment, file }: ConfigSources & { file: ConfigFile | undefined },
): Found | undefined {
  const fromText = (value: unknown): unknown => (typeof value === "string" ? type.fromText(value) : value);
  if (flags[key] !== undefined) {
    return { value: fromText(flags[key]), origin: `flag ${toFlag(key)}`, isOfFile: false };
  }
  const variable = environment[toVariable(key)];
  if (variable !== undefined && !isServiceLink(toVariable(key), variable)) {
    return { value: fromText(variable), origin: `environment ${toVariable(key)}`, isOfFile: false };
  }
  if (file !== undefined && Object.hasOwn(file.values, key)) {
    return {
      value: file.values[key],
      origin: `file ${file.path}:${file.placeOf(key, "value")}`,
      isOfFile: true,
    };
  }
  return fallback === undefined ? undefined : { value: fallback, origin: "default", isOfFile: false };
}

function unknownVariables(environment: ConfigSources["environment"], knownKeys: readonly string[]): string[] {
  const known = new Set(["config", ...knownKeys].map(toVariable));
  return Object.entries(environment)
    .filter(([name, value = ""]) => name.startsWith("EVENKEEL_") && !isServiceLink(name, value))
    .filter(([name]) => !known.has(name))
    .map(([name]) => `${name} (environment): unknown variable; remove it`);
}

/** Does not name the keys: a line such as `databaseUrl:postgres://...: x` is one. */
function unknownKeys({ values, path, placeOf }: ConfigFile, fields: Fields): string[] {
  return Object.keys(values)
    .filter((key) => !Object.hasOwn(fields, key))
    .map(
      (key) =>
        `file ${path}:${placeOf(key, "key")}: unknown key; expected one of ${Object.keys(fields).join(", ")}`,
    );
}

function toProblem(
  key: string,
  { type, secret }: Field<unknown>,
  { value, origin, isOfFile }: Found,
): string {
  const reason = type.explain?.(value);
  if (reason !== undefined) {
    return `${key} (${origin}): ${reason}`;
  }
  const found = secret ? "" : `, found ${isOfFile ? describeType(value) : describeValue(value)}`;
  return `${key} (${origin}): expected ${type.expected}${found}`;
}

function describeValue(value: unknown): string {
  return JSON.stringify(value, (_, each) => (typeof each === "string" ? hideCredentials(each) : each));
}

function describeType(value: unknown): string {
  if (value === null) {
    return "nothing";
  }
  const type = Array.isArray(value) ? "list" : typeof value === "string" ? "text" : typeof value;
  return type === "object" ? "a mapping" : `a ${type}`;
}

/** A configuration file. */
interface ConfigFile extends YamlMapping {
  readonly path: string;
}

/** @throws ConfigError when it cannot be read, is no YAML, or is no mapping at its top. */
function readConfigFile(path: string): ConfigFile {
  const text = read(path);
  try {
    return { path, ...readYaml(text) };
  } catch (cause) {
    throw new ConfigError(`configuration file ${path}:${toMessage(cause)}`, { cause });
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    throw new ConfigError(`configuration file ${path}: cannot be read: ${toMessage(cause)}`, { cause });
  }
}
