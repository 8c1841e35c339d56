import { readFileSync } from "node:fs";
import { ConfigError, toMessage } from "../../../lib/errors.ts";
import { type PublicKey, parsePublicKeys } from "./public-keys.ts";

/** The public keys in a file. Throws `ConfigError` that names it when it holds none, or others besides. */
export function readPublicKeys(path: string): readonly PublicKey[] {
  try {
    return parsePublicKeys(readFileSync(path, "utf8"));
  } catch (cause) {
    throw new ConfigError(`the public keys in ${path} cannot be read: ${toMessage(cause)}`, { cause });
  }
}
