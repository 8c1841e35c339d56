import { statSync } from "node:fs";
import { toMessage } from "../../lib/errors.ts";
import type { Log } from "../../lib/log.ts";
import type { PublicKey } from "./jwt/public-keys.ts";
import { readPublicKeys } from "./jwt/read-public-keys.ts";

/** A file of public keys that may be replaced while it is in use. */
export interface KeyFile {
  readonly keys: readonly PublicKey[];
  /** Reads the file again if it has changed. One that is broken or gone is logged, and the keys stay what they were. */
  refresh(): void;
}

/** Reads a file of public keys. Throws `ConfigError` when it cannot. */
export function openKeyFile(path: string, log: Log): KeyFile {
  // Taken before the file is read: a change in between is found at the next look.
  let stamp = stampOf(path);
  let keys = readPublicKeys(path);
  return {
    get keys() {
      return keys;
    },
    refresh() {
      const now = stampOf(path);
      if (now === stamp) {
        return;
      }
      stamp = now;
      try {
        keys = readPublicKeys(path);
        log.info("public keys were read again", { file: path, keys: keys.map(({ id }) => id) });
      } catch (error) {
        log.error("public keys cannot be read again; those read before stay", { error: toMessage(error) });
      }
    },
  };
}

/** Another one for another content; undefined for a file that cannot be looked at. */
function stampOf(path: string): string | undefined {
  try {
    const { ino, size, mtimeNs } = statSync(path, { bigint: true });
    return `${ino} ${size} ${mtimeNs}`;
  } catch {
    return undefined;
  }
}
