import { statSync } from "node:fs";
import { Code, ConnectError } from "@connectrpc/connect";
import type { Clock } from "../../lib/clock.ts";
import { toMessage } from "../../lib/errors.ts";
import type { Log } from "../../lib/log.ts";
import type { Authenticator } from "./authenticator.ts";
import type { Identity } from "./identity.ts";
import { CLOCK_TOLERANCE_MS, InvalidTokenError, type TokenClaims } from "./jwt/claims.ts";
import { type PublicKey, readPublicKeys } from "./jwt/keys.ts";
import { verifyToken } from "./jwt/verify.ts";

/** What tokens are held against. */
export interface JwtAuthenticatorOptions {
  /** Files of public keys, in PEM or as JWK sets. A token may be signed by any key of any of them. */
  readonly publicKeyFiles: readonly string[];
  /** Whom tokens have to be for. */
  readonly audience: string;
  readonly clock: Clock;
  readonly log: Log;
}

/** Between two looks at the files, in milliseconds. */
const LOOK_INTERVAL_MS = 5_000;

/**
 * Takes a caller for whom its token names: `authorization: Bearer TOKEN`, a JWT signed by one of the keys.
 *
 * A file of keys that was replaced counts within some seconds, so that keys can be rotated without a restart: add the
 * new one, make tokens with it, and take the old one away when its last token has expired.
 *
 * @throws ConfigError when a file of keys cannot be read.
 */
export function createJwtAuthenticator(options: JwtAuthenticatorOptions): Authenticator {
  const { publicKeyFiles, audience, clock, log } = options;
  const files = publicKeyFiles.map((path) => openKeyFile(path, log));
  let lookedAt = clock.monotonic();
  const readKeys = (): readonly PublicKey[] => {
    if (clock.monotonic() - lookedAt >= LOOK_INTERVAL_MS) {
      lookedAt = clock.monotonic();
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
        return toIdentity(await verifyToken(token, readKeys(), { audience, now: clock.now() }));
      } catch (error) {
        if (!(error instanceof InvalidTokenError)) {
          throw error;
        }
        log.debug("a token was refused", { reason: error.message });
        throw unauthenticated(error.message, error);
      }
    },
  };
}

function toIdentity({ expiresAt, ...claims }: TokenClaims): Identity {
  // As long as the token itself is taken: whoever were sent away before could only come back with the same one.
  return { ...claims, expiresAt: new Date(expiresAt.getTime() + CLOCK_TOLERANCE_MS) };
}

function readBearerToken(headers: Headers): string {
  const header = headers.get("authorization");
  if (header === null) {
    throw unauthenticated(
      'the call carries no token: expected the header "authorization: Bearer TOKEN" (of evenkeel itself: --token-file)',
    );
  }
  const [, token] = /^Bearer +([\w.~+/=-]+)$/i.exec(header) ?? [];
  if (token === undefined) {
    throw unauthenticated('the header "authorization" is malformed: expected "Bearer TOKEN"');
  }
  return token;
}

function unauthenticated(message: string, cause?: unknown): ConnectError {
  // RFC 9110, section 11.6.1: a 401 says how to do better.
  return new ConnectError(message, Code.Unauthenticated, { "www-authenticate": "Bearer" }, undefined, cause);
}

/** A file of public keys that may be replaced while it is in use. */
export interface KeyFile {
  readonly keys: readonly PublicKey[];
  /** Reads the file again if it has changed. One that is broken or gone is logged, and the keys stay what they were. */
  refresh(): void;
}

/** Reads a file of public keys. Throws `ConfigError` when it cannot. */
function openKeyFile(path: string, log: Log): KeyFile {
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
