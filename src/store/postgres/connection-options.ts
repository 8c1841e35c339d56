import { existsSync, readFileSync } from "node:fs";
import { homedir, userInfo } from "node:os";
import { join } from "node:path";
import { createSecureContext, getCACertificates } from "node:tls";
import type pg from "pg";
import { ConfigError, RetryableError, toMessage } from "../../lib/errors.ts";
import { isLoopback } from "../../lib/loopback.ts";
import {
  type PostgresParameter,
  type PostgresParameters,
  parsePostgresUrl,
  type SslMode,
  toSslMode,
} from "../../lib/postgres-url.ts";
import { readPrivateFile } from "../../lib/private-file.ts";
import { type Login, readPassword } from "./password-file.ts";

/** The environment variables of libpq that apply to what a URL leaves out. */
const VARIABLES: Readonly<Record<string, PostgresParameter>> = {
  PGHOST: "host",
  PGPORT: "port",
  PGDATABASE: "dbname",
  PGUSER: "user",
  PGPASSWORD: "password",
  PGPASSFILE: "passfile",
  PGSSLMODE: "sslmode",
  PGSSLROOTCERT: "sslrootcert",
  PGSSLCERT: "sslcert",
  PGSSLKEY: "sslkey",
  PGOPTIONS: "options",
  PGAPPNAME: "application_name",
};

type Environment = Readonly<Record<string, string | undefined>>;

/** Options of the driver for one server. */
export interface ConnectionOptions extends pg.ClientConfig {
  /** True if the connection goes on without TLS when the server has none: `sslmode=prefer`. */
  readonly isTlsOptional: boolean;
}

/**
 * Returns the driver's options for a URL. They mean what they mean in libpq, except that without `sslmode` a server on
 * another machine is verified (`verify-full`), where libpq would accept a connection without TLS.
 *
 * The driver must not see the URL: it decodes the parts together, ignores unknown parameters, and reads `sslmode` in
 * its own way.
 *
 * @throws ConfigError that names the part, if libpq refuses the URL, if the driver cannot do what it requires, or if a
 * file of certificates or keys cannot be used
 */
export function toConnectionOptions(url: string, environment: Environment = process.env): ConnectionOptions {
  try {
    return toOptions(parsePostgresUrl(url, readDefaults(environment)), environment["HOME"] ?? homedir());
  } catch (cause) {
    throw cause instanceof ConfigError
      ? new ConfigError(`database URL: ${cause.message}`, { cause })
      : new ConfigError(`database URL: ${toMessage(cause)}`, { cause });
  }
}

function readDefaults(environment: Environment): PostgresParameters {
  const entries = Object.entries(VARIABLES).flatMap(([variable, name]) => {
    const value = environment[variable];
    return value === undefined || value === "" ? [] : [[name, value]];
  });
  return Object.fromEntries(entries);
}

function toOptions(parameters: PostgresParameters, home: string): ConnectionOptions {
  const { host, port = "5432", user = userInfo().username, dbname = user, options } = parameters;
  if (host === undefined) {
    throw new ConfigError(
      "host: required; write postgres://HOST/DATABASE, or ?host=DIRECTORY of a Unix socket",
    );
  }
  const mode = toMode(host, toSslMode(parameters.sslmode), parameters.sslrootcert);
  const login = { host, port, database: dbname, user };
  const { password, passfile = join(home, ".pgpass") } = parameters;
  return {
    ...{ host, port: Number(port), user, database: dbname },
    // Asked for when the server wants one. Without this function the driver would read its own environment.
    password: () => password ?? requirePassword(passfile, login),
    application_name: parameters.application_name ?? "evenkeel",
    ...(options !== undefined && { options }),
    ssl: mode === "disable" ? false : toTls(mode, parameters, home),
    isTlsOptional: mode === "prefer",
  };
}

/** Returns how to use TLS. As in libpq, a Unix socket has none. */
function toMode(host: string, mode: SslMode | undefined, root: string | undefined): SslMode {
  if (host.startsWith("/")) {
    return "disable";
  }
  return mode ?? (isLoopback(host) && root === undefined ? "disable" : "verify-full");
}

/** @throws RetryableError if there is none: an operator may add it while the program waits */
function requirePassword(path: string, login: Login): string {
  const fail = (reason: string, cause?: unknown): RetryableError =>
    new RetryableError(`Postgres: not available: ${reason}`, {
      cause,
      publicMessage: "the database is not available; try again",
    });
  let password: string | undefined;
  try {
    password = readPassword(path, login);
  } catch (cause) {
    throw fail(`password file ${path}: ${toMessage(cause)}`, cause);
  }
  if (password === undefined) {
    throw fail(
      `the server requires a password of ${JSON.stringify(login.user)}; set it in the database URL or in PGPASSWORD, ` +
        `or add an entry for ${login.host}:${login.port} to ${path}`,
    );
  }
  return password;
}

/** Returns the options of TLS. As in libpq, `require` verifies the certificate if there are authorities to trust. */
function toTls(
  mode: SslMode,
  parameters: PostgresParameters,
  home: string,
): Exclude<pg.ClientConfig["ssl"], boolean | undefined> {
  const file = (parameter: PostgresParameter, name: string): string | undefined => {
    const fallback = join(home, ".postgresql", name);
    return parameters[parameter] ?? (existsSync(fallback) ? fallback : undefined);
  };
  const root = mode === "prefer" ? parameters.sslrootcert : file("sslrootcert", "root.crt");
  const certificate = file("sslcert", "postgresql.crt");
  const key = certificate === undefined ? undefined : file("sslkey", "postgresql.key");
  if (mode === "prefer" && root !== undefined) {
    throw new ConfigError("sslrootcert: has no use with sslmode=prefer; write sslmode=verify-full");
  }
  if (mode === "verify-ca" && root === undefined) {
    throw new ConfigError("sslrootcert: required by sslmode=verify-ca; or write sslmode=verify-full");
  }
  if (root === "system" && mode !== "verify-full") {
    throw new ConfigError("sslmode: expected verify-full with sslrootcert=system");
  }
  const tls = {
    ...(root !== undefined && {
      ca: root === "system" ? getCACertificates("system") : read("sslrootcert", root, readCertificates),
    }),
    ...(certificate !== undefined && { cert: read("sslcert", certificate, readCertificates) }),
    ...(key !== undefined && { key: read("sslkey", key, readPrivateFile) }),
    rejectUnauthorized: mode.startsWith("verify") || root !== undefined,
    ...(mode !== "verify-full" && { checkServerIdentity: () => undefined }),
  };
  try {
    createSecureContext(tls);
  } catch (cause) {
    throw new ConfigError(`sslrootcert, sslcert or sslkey: cannot be used: ${toMessage(cause)}`, { cause });
  }
  return tls;
}

function read(parameter: PostgresParameter, path: string, readFile: (path: string) => string): string {
  try {
    return readFile(path);
  } catch (cause) {
    throw new ConfigError(`${parameter}: ${path}: cannot be read: ${toMessage(cause)}`, { cause });
  }
}

/** Of an empty text, Node would trust its own authorities instead. */
function readCertificates(path: string): string {
  const text = readFileSync(path, "utf8");
  if (!text.includes("-----BEGIN CERTIFICATE-----")) {
    throw new ConfigError("expected certificates in PEM (BEGIN CERTIFICATE)");
  }
  return text;
}
