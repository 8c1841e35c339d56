import { statSync } from "node:fs";
import { Code, ConnectError } from "@connectrpc/connect";
import type { Clock } from "../../lib/clock.ts";
import { toMessage } from "../../lib/errors.ts";
import type { Log } from "../../lib/log.ts";
import type { Authenticator, Identity } from "./authenticator.ts";
import { CLOCK_TOLERANCE_MS, InvalidTokenError, type TokenClaims } from "./jwt/claims.ts";
import { type PublicKey, readPublicKeys } from "./jwt/keys.ts";
import { verifyToken } from "./jwt/verify.ts";

export interface JwtAuthenticatorOptions {
  /** Files of public keys, in PEM or as JWK sets. Any of their keys can sign a token. */
  readonly publicKeyFiles: readonly string[];
  /** Expected `aud` claim of tokens. */
  readonly audience: string;
  readonly clock: Clock;
  readonly log: Log;
}

/** Time between two checks of the files, in milliseconds. */
const CHECK_INTERVAL_MS = 5_000;

/**
 * Creates an authenticator for the header `authorization: Bearer TOKEN`, where TOKEN is a JWT signed by one of the
 * keys.
 *
 * A replaced key file is read again within {@link CHECK_INTERVAL_MS}, so keys can be rotated without a restart: add the
 * new key, sign tokens with it, and remove the old key when its last token has expired. Removing a key revokes the
 * tokens that it has signed.
 *
 * @throws ConfigError if a key file cannot be read
 */
export function createJwtAuthenticator(options: JwtAuthenticatorOptions): Authenticator {
  const { publicKeyFiles, audience, clock, log } = options;
  const files = publicKeyFiles.map((path) => openKeyFile(path, log));
  let checkedAt = clock.monotonic();
  const readKeys = (): readonly PublicKey[] => {
    if (clock.monotonic() - checkedAt >= CHECK_INTERVAL_MS) {
      checkedAt = clock.monotonic();
      for (const file of files) {
        file.refresh();
      }
    }
    return files.flatMap(({ keys }) => keys);
  };
  return {
    async authenticate(_signal, headers) {
      const token = readBearerToken(headers);
      try {
        const { claims, key } = await verifyToken(token, readKeys(), { audience, now: clock.now() });
        return { ...toIdentity(claims), isRevoked: () => !readKeys().some((each) => isSame(each, key)) };
      } catch (error) {
        if (!(error instanceof InvalidTokenError)) {
          throw error;
        }
        log.debug("token refused", { reason: error.message });
        throw unauthenticated(error.message, error);
      }
    },
  };
}

function isSame(one: PublicKey, other: PublicKey): boolean {
  return one.id === other.id && one.key.equals(other.key);
}

function toIdentity({ expiresAt, ...claims }: TokenClaims): Identity {
  // With the tolerance: before it, the caller could only reconnect with the same token.
  return { ...claims, expiresAt: new Date(expiresAt.getTime() + CLOCK_TOLERANCE_MS) };
}

function readBearerToken(headers: Headers): string {
  const header = headers.get("authorization");
  if (header === null) {
    throw unauthenticated(
      'authorization: no token; send the header "authorization: Bearer TOKEN" (option of evenkeel: --token-file)',
    );
  }
  const [, token] = /^Bearer +([\w.~+/=-]+)$/i.exec(header) ?? [];
  if (token === undefined) {
    throw unauthenticated('authorization: malformed header; expected "Bearer TOKEN"');
  }
  return token;
}

function unauthenticated(message: string, cause?: unknown): ConnectError {
  // RFC 9110, section 11.6.1: a 401 names the accepted scheme.
  return new ConnectError(message, Code.Unauthenticated, { "www-authenticate": "Bearer" }, undefined, cause);
}

/** A file of public keys that can be replaced while it is used. */
export interface KeyFile {
  readonly keys: readonly PublicKey[];
  /** Reads the file again if it has changed. If that fails, it logs the error and keeps the previous keys. */
  refresh(): void;
}

/**
 * Opens a file of public keys.
 *
 * @throws ConfigError if it cannot be read
 */
function openKeyFile(path: string, log: Log): KeyFile {
  // Before the file is read, so that the next check finds a change in between.
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
        log.info("public keys reloaded", { file: path, keys: keys.map(({ id }) => id) });
      } catch (error) {
        log.error("public keys not reloaded; previous keys kept", { error: toMessage(error) });
      }
    },
  };
}

/** Returns a stamp that changes with the content; undefined if the file is not accessible. */
function stampOf(path: string): string | undefined {
  try {
    const { ino, size, mtimeNs } = statSync(path, { bigint: true });
    return `${ino} ${size} ${mtimeNs}`;
  } catch {
    return undefined;
  }
}
