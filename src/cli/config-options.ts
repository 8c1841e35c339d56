import { type Command, Option } from "commander";
import { type Field, type Fields, type Program, toFlag, toVariable } from "../config/field.ts";
import { resolveConfig } from "../config/resolve.ts";
import type { CliContext } from "./context.ts";

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
