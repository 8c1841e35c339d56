import * as z from "zod/mini";
import { ConfigError } from "../../lib/errors.ts";
import { optional } from "../field.ts";
import { text, type ValueType } from "../value-types.ts";

/** How a program proves to a server who it is: one of these, or neither where nobody asks. */
export interface TokenConfig {
  readonly token: string | undefined;
  /** Read at every connect, so that it can be renewed. */
  readonly tokenFile: string | undefined;
}

const token: ValueType<string> = {
  ...text("token", 'a token such as "evenkeel token create" prints'),
  schema: z.string().check(z.regex(/^[\w-]+\.[\w-]+\.[\w-]+$/)),
};

/** Keys of {@link TokenConfig}. */
export const tokenFields = {
  token: optional<string>(token, "Token for the server; others may see a flag, so better in a file", {
    secret: true,
  }),
  tokenFile: optional<string>(text("path", "a path"), "File with the token, read at every connect"),
};

/** Throws `ConfigError` when both are given, because only one could be meant. */
export function assertOneToken(config: TokenConfig): void {
  if (config.token !== undefined && config.tokenFile !== undefined) {
    throw new ConfigError(
      "the configuration is not valid:\n  token and tokenFile are both set: take one away",
    );
  }
}
