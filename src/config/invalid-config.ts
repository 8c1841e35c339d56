import { ConfigError } from "../lib/errors.ts";

/**
 * Creates the error for a configuration that is not valid, with a line for each problem: "key: problem;
 * remedy".
 */
export function invalidConfig(...problems: readonly string[]): ConfigError {
  return new ConfigError(["the configuration is not valid:", ...problems].join("\n  "));
}
