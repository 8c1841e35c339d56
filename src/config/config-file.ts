import { readFileSync } from "node:fs";
import { parseDocument } from "yaml";
import { ConfigError, toMessage } from "../lib/errors.ts";

/**
 * The keys and values of a YAML file.
 *
 * @throws ConfigError when it cannot be read, is no YAML, or is no mapping at its top.
 */
export function readConfigFile(path: string): Readonly<Record<string, unknown>> {
  const document = parseDocument(read(path), { prettyErrors: true });
  const [problem] = document.errors;
  if (problem !== undefined) {
    throw new ConfigError(`${path} is not valid YAML: ${problem.message}`, { cause: problem });
  }
  const content: unknown = document.toJS();
  if (content === null) {
    return {};
  }
  if (typeof content !== "object" || Array.isArray(content)) {
    throw new ConfigError(`${path}: expected a mapping of keys to values, found ${JSON.stringify(content)}`);
  }
  return { ...content };
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    throw new ConfigError(`the configuration file ${path} cannot be read: ${toMessage(cause)}`, { cause });
  }
}
