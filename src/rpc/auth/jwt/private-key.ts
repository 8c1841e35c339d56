import { createPrivateKey, createPublicKey, type KeyObject } from "node:crypto";
import { ConfigError, toMessage } from "../../../lib/errors.ts";
import { keyIdOf } from "./key-id.ts";
import { ALGORITHM_KEYS, type Algorithm, algorithmOf } from "./keys.ts";

/** A key that tokens are signed with. */
export interface PrivateKey {
  /** The `kid` of what it signs: the thumbprint of its public key. */
  readonly id: string;
  readonly algorithm: Algorithm;
  readonly key: KeyObject;
}

/** The private key of a PEM text (PKCS #8). Throws `ConfigError` when it holds none that can sign tokens. */
export function parsePrivateKey(text: string): PrivateKey {
  const key = createKey(text);
  const algorithm = algorithmOf(key);
  if (algorithm === undefined) {
    throw new ConfigError(
      `expected a private key of ${ALGORITHM_KEYS}, found another (${key.asymmetricKeyType})`,
    );
  }
  return { id: keyIdOf(createPublicKey(key)), algorithm, key };
}

function createKey(text: string): KeyObject {
  try {
    return createPrivateKey(text);
  } catch (cause) {
    throw new ConfigError(
      `expected a private key in PEM (BEGIN PRIVATE KEY) without a passphrase: ${toMessage(cause)}`,
      { cause },
    );
  }
}
