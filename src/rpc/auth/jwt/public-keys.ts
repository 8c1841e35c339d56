import { createPublicKey, type KeyObject } from "node:crypto";
import { ConfigError, toMessage } from "../../../lib/errors.ts";
import { keyIdOf } from "./key-id.ts";
import { ALGORITHM_KEYS, type Algorithm, algorithmOf } from "./keys.ts";
import { readPemBlocks } from "./pem.ts";

/** A key that tokens' signatures are verified with. */
export interface PublicKey {
  /** What a token's `kid` names it by. */
  readonly id: string;
  readonly algorithm: Algorithm;
  readonly key: KeyObject;
}

/**
 * The public keys of a file: one or more in PEM (SPKI), or a JWK set (RFC 7517) in JSON. A key without a `kid` has its
 * thumbprint for one.
 *
 * @throws ConfigError when there is none, when one is of no use for tokens, and when one is private or a shared
 * secret, which has no business where tokens are verified.
 */
export function parsePublicKeys(text: string): readonly PublicKey[] {
  return text.trimStart().startsWith("{") ? fromJwkSet(text) : readPemBlocks(text).map(fromPem);
}

function fromPem({ label, text }: { readonly label: string; readonly text: string }): PublicKey {
  // Node would make a public key of a private one.
  if (label !== "PUBLIC KEY") {
    throw new ConfigError(`expected a public key (BEGIN PUBLIC KEY), found BEGIN ${label}`);
  }
  try {
    return toPublicKey(createPublicKey(text));
  } catch (cause) {
    throw cause instanceof ConfigError
      ? cause
      : new ConfigError(`no public key: ${toMessage(cause)}`, { cause });
  }
}

function toPublicKey(key: KeyObject): PublicKey {
  const algorithm = algorithmOf(key);
  if (algorithm === undefined) {
    throw new ConfigError(`expected a key of ${ALGORITHM_KEYS}, found another (${key.asymmetricKeyType})`);
  }
  return { id: keyIdOf(key), algorithm, key };
}

/** A set may hold keys that are not for us (RFC 7517, section 5): they are passed over, as long as one is. */
function fromJwkSet(text: string): readonly PublicKey[] {
  const keys = readJwkSet(text).flatMap(fromJwk);
  if (keys.length === 0) {
    throw new ConfigError(`expected a JWK set with a key of ${ALGORITHM_KEYS} for signatures, found none`);
  }
  return keys;
}

function readJwkSet(text: string): readonly Readonly<Record<string, unknown>>[] {
  try {
    const { keys }: { readonly keys?: unknown } = JSON.parse(text);
    if (Array.isArray(keys) && keys.every((key) => typeof key === "object" && key !== null)) {
      return keys;
    }
  } catch {
    // Refused below: what the parser says would show parts of the file.
  }
  throw new ConfigError('expected a JWK set in JSON ({"keys": [...]}), found something else');
}

function fromJwk(jwk: Readonly<Record<string, unknown>>): readonly PublicKey[] {
  if ("d" in jwk || jwk["kty"] === "oct") {
    throw new ConfigError("expected public keys only, found one that is private or a shared secret");
  }
  const key = importJwk(jwk);
  const algorithm = key && algorithmOf(key);
  const { kid, use = "sig", alg = algorithm } = jwk;
  if (key === undefined || algorithm === undefined || use !== "sig" || alg !== algorithm) {
    return [];
  }
  return [{ id: typeof kid === "string" ? kid : keyIdOf(key), algorithm, key }];
}

function importJwk(jwk: object): KeyObject | undefined {
  try {
    return createPublicKey({ key: { ...jwk }, format: "jwk" });
  } catch {
    return undefined;
  }
}
