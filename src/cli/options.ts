import { type Command, InvalidArgumentError, Option } from "commander";
import { type Field, type Fields, type Program, toFlag, toVariable } from "../config/field.ts";
import { resolveConfig } from "../config/resolve.ts";
import type { ValueType } from "../config/value-types.ts";
import { parseResourceType, type ResourceTypeName } from "../domain/resource-type.ts";
import type { CliContext } from "./context.ts";
import type { OutputFormat } from "./output/message.ts";

/** Creates the flag `--limit`: the maximum number of entries that a command prints. */
export function createLimitOption(fallback: number): Option {
  return new Option("--limit <count>", "Maximum number of entries to print")
    .default(fallback)
    .argParser(parseCount);
}

function parseCount(text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) {
    throw new InvalidArgumentError("Expected a whole number above 0.");
  }
  return Number(text);
}

/** Creates the flag `--output`; its default is a table. */
export function createOutputOption(): Option {
  const formats: OutputFormat[] = ["table", "json", "yaml"];
  return new Option("-o, --output <format>", "Output format").choices(formats).default("table");
}

/** Returns a parser for an option that accepts the same texts as a configuration value. */
export function parseAs<T>({ schema, fromText, expected }: ValueType<T>): (text: string) => T {
  return (text) => {
    const result = schema.safeParse(fromText(text));
    if (!result.success) {
      throw new InvalidArgumentError(`Expected ${expected}.`);
    }
    return result.data;
  };
}

/** Parses a resource type such as "pods" or "deployments.apps". */
export function parseResource(text: string): ResourceTypeName {
  const resourceType = parseResourceType(text);
  if (resourceType === undefined) {
    throw new InvalidArgumentError("Expected a resource type such as pods or deployments.apps.");
  }
  return resourceType;
}

/** Adds a flag for every key of a program's configuration, and `--config`. */
export function addConfigOptions(command: Command, { fields }: { readonly fields: Fields }): Command {
  command.addOption(
    new Option("--config <path>", "YAML file with these keys in camelCase (EVENKEEL_CONFIG)"),
  );
  for (const [key, field] of Object.entries(fields)) {
    const { placeholder } = field.type;
    if (placeholder === undefined) {
      command.addOption(new Option(toFlag(key), describe(key, field)));
      command.addOption(new Option(toFlag(key).replace("--", "--no-"), `Disable ${toFlag(key)}`));
    } else {
      command.addOption(new Option(`${toFlag(key)} <${placeholder}>`, describe(key, field)));
    }
  }
  return command;
}

/**
 * The program's configuration from the command's flags, the environment and the file.
 *
 * @throws ConfigError that lists all problems.
 */
export function configOf<F extends Fields, Config>(
  program: Program<F, Config>,
  command: Command,
  { environment }: CliContext,
): Config {
  return resolveConfig(program, { flags: command.opts(), environment });
}

function describe(key: string, { description, fallback, optional }: Field<unknown>): string {
  const text = Array.isArray(fallback) ? fallback.join(", ") : String(fallback ?? "");
  const presence = text !== "" ? `, default ${text}` : optional || fallback !== undefined ? "" : ", required";
  return `${description} (${toVariable(key)}${presence})`;
}
