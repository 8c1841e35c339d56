import { ConfigError } from "../lib/errors.ts";

/** Creates the error for a configuration that is not valid: a line for each problem, "key: what is wrong; what to do". */
export function invalidConfig(...problems: readonly string[]): ConfigError {
  return new ConfigError(["the configuration is not valid:", ...problems].join("\n  "));
}
