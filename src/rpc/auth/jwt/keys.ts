import { createPrivateKey, createPublicKey, hash, type KeyObject } from "node:crypto";
import { readFileSync } from "node:fs";
import { ConfigError, toMessage } from "../../../lib/errors.ts";

/** The signatures that tokens may have. Neither "none" nor HMAC: with a key that is public, anybody could make those. */
export const ALGORITHMS = ["EdDSA", "ES256", "RS256"] as const;

/** One of {@link ALGORITHMS}, as a token's header names it (RFC 7518, RFC 8037). */
export type Algorithm = (typeof ALGORITHMS)[number];

/** Keys that tokens can be signed with, for people. */
const ALGORITHM_KEYS = "Ed25519, EC P-256, or RSA of at least 2048 bits";

const MIN_RSA_BITS = 2048;

/**
 * The one algorithm that a key is for; undefined when there is none. The type of the key decides it, never what a
 * token says.
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
 * The name of a public key in tokens (`kid`) when nobody gave it another: the SHA-256 thumbprint of the key as a JWK
 * (RFC 7638), in base64url.
 */
export function keyIdOf(publicKey: KeyObject): string {
  const { crv, e, kty, n, x, y } = publicKey.export({ format: "jwk" });
  // By name, as the RFC has it; JSON leaves out those that this type of key lacks.
  return hash("sha256", JSON.stringify({ crv, e, kty, n, x, y }), "base64url");
}

/** One block of a PEM text. */
export interface PemBlock {
  /** What it is, such as "PUBLIC KEY". */
  readonly label: string;
  /** The block with its first and last line. */
  readonly text: string;
}

/** The blocks of a PEM text (RFC 7468), of which there is one at least. Throws `ConfigError` when there is none. */
export function readPemBlocks(text: string): readonly PemBlock[] {
  const blocks = [...text.matchAll(/-----BEGIN ([A-Z0-9 ]+)-----[^-]*-----END \1-----/g)];
  if (blocks.length === 0) {
    throw new ConfigError("expected a key in PEM (-----BEGIN ... KEY-----), found something else");
  }
  return blocks.map(([block, label = ""]) => ({ label, text: block }));
}

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

/** The public keys in a file. Throws `ConfigError` that names it when it holds none, or others besides. */
export function readPublicKeys(path: string): readonly PublicKey[] {
  try {
    return parsePublicKeys(readFileSync(path, "utf8"));
  } catch (cause) {
    throw new ConfigError(`the public keys in ${path} cannot be read: ${toMessage(cause)}`, { cause });
  }
}
