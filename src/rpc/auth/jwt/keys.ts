import { createPrivateKey, createPublicKey, hash, type KeyObject } from "node:crypto";
import { readFileSync } from "node:fs";
import { ConfigError, toMessage } from "../../../lib/errors.ts";

/** Accepted signature algorithms. Not "none" and not HMAC: with a public key everyone could create such signatures. */
export const ALGORITHMS = ["EdDSA", "ES256", "RS256"] as const;

/** Name of an accepted algorithm in a token's header (RFC 7518, RFC 8037). */
export type Algorithm = (typeof ALGORITHMS)[number];

/** Description of the accepted keys for error messages. */
const ALGORITHM_KEYS = "Ed25519, EC P-256, or RSA of at least 2048 bits";

const MIN_RSA_BITS = 2048;

/**
 * Returns the only algorithm of a key; undefined if it has none. The type of the key decides it, never the header of a
 * token.
 */
export function algorithmOf({ asymmetricKeyType, asymmetricKeyDetails }: KeyObject): Algorithm | undefined {
  switch (asymmetricKeyType) {
    case "ed25519":
      return "EdDSA";
    case "ec":
      return asymmetricKeyDetails?.namedCurve === "prime256v1" ? "ES256" : undefined;
    case "rsa":
      return (asymmetricKeyDetails?.modulusLength ?? 0) >= MIN_RSA_BITS ? "RS256" : undefined;
    default:
      return undefined;
  }
}

/**
 * Returns the default name of a public key in tokens (`kid`): the SHA-256 thumbprint of the key as a JWK (RFC 7638), in
 * base64url.
 */
export function keyIdOf(publicKey: KeyObject): string {
  const { crv, e, kty, n, x, y } = publicKey.export({ format: "jwk" });
  // In the order of the RFC. JSON omits the members that this type of key lacks.
  return hash("sha256", JSON.stringify({ crv, e, kty, n, x, y }), "base64url");
}

/** One block of a PEM text. */
export interface PemBlock {
  /** Label of the block, such as "PUBLIC KEY". */
  readonly label: string;
  /** The block with its first and last line. */
  readonly text: string;
}

/**
 * Returns the blocks of a PEM text (RFC 7468), at least one.
 *
 * @throws ConfigError if there is none
 */
export function readPemBlocks(text: string): readonly PemBlock[] {
  const blocks = [...text.matchAll(/-----BEGIN ([A-Z0-9 ]+)-----[^-]*-----END \1-----/g)];
  if (blocks.length === 0) {
    throw new ConfigError("expected a key in PEM (-----BEGIN ... KEY-----), found something else");
  }
  return blocks.map(([block, label = ""]) => ({ label, text: block }));
}

/** Key that signs tokens. */
export interface PrivateKey {
  /** The `kid` of its tokens: the thumbprint of its public key. */
  readonly id: string;
  readonly algorithm: Algorithm;
  readonly key: KeyObject;
}

/**
 * Parses the private key of a PEM text (PKCS #8).
 *
 * @throws ConfigError if the text has no key that can sign tokens
 */
export function parsePrivateKey(text: string): PrivateKey {
  const key = createKey(text);
  const algorithm = algorithmOf(key);
  if (algorithm === undefined) {
    throw new ConfigError(
      `expected a private key of ${ALGORITHM_KEYS}, found one of type ${key.asymmetricKeyType}`,
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

/** Key that verifies the signatures of tokens. */
export interface PublicKey {
  /** The `kid` of its tokens. */
  readonly id: string;
  readonly algorithm: Algorithm;
  readonly key: KeyObject;
}

/**
 * Parses the public keys of a file: one or more in PEM (SPKI), or a JWK set (RFC 7517) in JSON. The id of a key without
 * a `kid` is its thumbprint.
 *
 * @throws ConfigError if there is no key, if a PEM key cannot verify tokens, or if a key is private or a shared secret:
 * such a key must not be on a server that only verifies
 */
export function parsePublicKeys(text: string): readonly PublicKey[] {
  return text.trimStart().startsWith("{") ? fromJwkSet(text) : readPemBlocks(text).map(fromPem);
}

function fromPem({ label, text }: { readonly label: string; readonly text: string }): PublicKey {
  // Node would derive a public key from a private one.
  if (label !== "PUBLIC KEY") {
    throw new ConfigError(`expected a public key (BEGIN PUBLIC KEY), found BEGIN ${label}`);
  }
  try {
    return toPublicKey(createPublicKey(text));
  } catch (cause) {
    throw cause instanceof ConfigError
      ? cause
      : new ConfigError(`not a public key: ${toMessage(cause)}`, { cause });
  }
}

function toPublicKey(key: KeyObject): PublicKey {
  const algorithm = algorithmOf(key);
  if (algorithm === undefined) {
    throw new ConfigError(`expected a key of ${ALGORITHM_KEYS}, found one of type ${key.asymmetricKeyType}`);
  }
  return { id: keyIdOf(key), algorithm, key };
}

/** Reads a JWK set. It ignores keys for other purposes (RFC 7517, section 5) if at least one key is for tokens. */
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
    // Refused below. The parser's message would contain parts of the file.
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

/**
 * Reads the public keys of a file.
 *
 * @throws ConfigError that names the file, if it cannot be read or {@link parsePublicKeys} refuses it
 */
export function readPublicKeys(path: string): readonly PublicKey[] {
  try {
    return parsePublicKeys(readFileSync(path, "utf8"));
  } catch (cause) {
    throw new ConfigError(`public keys in ${path}: ${toMessage(cause)}`, { cause });
  }
}
