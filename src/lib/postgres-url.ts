import { ConfigError } from "./errors.ts";

/** The supported parameters of a Postgres URL, with their names in libpq. */
const SUPPORTED = [
  "host",
  "port",
  "dbname",
  "user",
  "password",
  "passfile",
  "sslmode",
  "sslrootcert",
  "sslcert",
  "sslkey",
  "options",
  "application_name",
] as const;

/** Name of a supported parameter. */
export type PostgresParameter = (typeof SUPPORTED)[number];

/** Parameters of a connection. None is empty. */
export type PostgresParameters = Readonly<Partial<Record<PostgresParameter, string>>>;

const TIMEOUT = "programs have timeouts of their own";
const ONE_SERVER = "programs connect to one host, whose name or address may move";
const OF_PRISMA = "it is a parameter of Prisma, not of Postgres";
const COMPATIBILITY = "sslmode is always read as libpq reads it";

/** Reasons against parameters that exist elsewhere. A name that is not here or above may be a piece of a password. */
const UNSUPPORTED: Readonly<Record<string, string>> = {
  schema: `${OF_PRISMA}; write options=-c%20search_path%3DNAME`,
  connection_limit: OF_PRISMA,
  pool_timeout: OF_PRISMA,
  socket_timeout: OF_PRISMA,
  statement_cache_size: OF_PRISMA,
  pgbouncer: `${OF_PRISMA}; PgBouncer works without it`,
  uselibpqcompat: COMPATIBILITY,
  ssl: "its only value is true; write sslmode",
  connect_timeout: TIMEOUT,
  keepalives: TIMEOUT,
  keepalives_idle: TIMEOUT,
  tcp_user_timeout: TIMEOUT,
  hostaddr: ONE_SERVER,
  target_session_attrs: ONE_SERVER,
  load_balance_hosts: ONE_SERVER,
  client_encoding: "it is always UTF8",
  channel_binding: "the driver cannot require it; verify the server with sslmode=verify-full",
  require_auth: "the driver cannot restrict the method",
  sslnegotiation: "the driver always asks for TLS first",
  sslcrl: "the driver reads no revocation lists",
  sslcrldir: "the driver reads no revocation lists",
  sslpassword: "remove the passphrase of the key",
  gssencmode: "the driver has no GSSAPI",
  krbsrvname: "the driver has no GSSAPI",
  service: "programs read no service file",
};

/** Values of `sslmode`, by increasing protection. */
export const SSL_MODES = ["disable", "prefer", "require", "verify-ca", "verify-full"] as const;

/** How a connection uses TLS. */
export type SslMode = (typeof SSL_MODES)[number];

const HINT = 'in a user or password, write "%" as %25, "/" as %2F, "@" as %40, "?" as %3F, "#" as %23';

/**
 * Parses a Postgres URL as libpq does (PostgreSQL documentation, 34.1.1.2): each part is decoded for itself, and a
 * parameter of the query replaces the part of the same meaning.
 *
 * @param defaults parameters for what the URL leaves out
 * @throws ConfigError that names the part and quotes nothing of the URL, for what libpq refuses, and for what would not
 * have the meaning that it has in libpq
 */
export function parsePostgresUrl(url: string, defaults: PostgresParameters = {}): PostgresParameters {
  const [, rest] = /^postgres(?:ql)?:\/\/(.*)$/s.exec(url) ?? [];
  if (rest === undefined) {
    throw new ConfigError("expected a URL such as postgres://user:password@host:5432/database");
  }
  // Credentials end at the first "@" before a "/".
  const [, user = "", password = "", location = rest] = /^([^@/:]*)(?::([^@/]*))?@(.*)$/s.exec(rest) ?? [];
  const parts = /^(\[[^\]]*\]|[^:/?[]*)(?::([^/?]*))?(?:\/([^?]*))?(?:\?(.*))?$/s.exec(location);
  if (parts === null) {
    throw new ConfigError(`host: expected a name, an IPv4 address, or an IPv6 address in []; ${HINT}`);
  }
  const [, host = "", port = "", path = "", query = ""] = parts;
  const parameters: Record<string, string> = {};
  const set = (name: PostgresParameter, encoded: string): void => {
    parameters[name] = decode(name, encoded);
  };
  // Both would be legal here, but are rather the end of a password that is not encoded.
  assertWithoutAt("host", host);
  assertWithoutAt("database", path);
  set("user", user);
  set("password", password);
  set("host", host.replace(/^\[(.*)\]$/s, "$1"));
  set("port", port);
  set("dbname", path);
  for (const [index, pair] of query.split("&").entries()) {
    if (pair !== "") {
      set(...readParameter(index, pair));
    }
  }
  const given = Object.entries(parameters).filter(([, value]) => value !== "");
  const complete = { ...defaults, ...Object.fromEntries(given) };
  assertValues(complete);
  return complete;
}

function readParameter(index: number, pair: string): [PostgresParameter, string] {
  const where = `parameter ${index + 1} of the query`;
  const [name = "", value, ...more] = pair.split("=");
  if (value === undefined || more.length > 0) {
    throw new ConfigError(`${where}: expected NAME=VALUE, in which "=" is written as %3D`);
  }
  if (name === "ssl" && value === "true") {
    return ["sslmode", "require"];
  }
  const supported = SUPPORTED.find((each) => each === name);
  if (supported !== undefined) {
    return [supported, value];
  }
  const list = `supported are ${SUPPORTED.join(", ")}`;
  throw new ConfigError(
    Object.hasOwn(UNSUPPORTED, name)
      ? `${name}: not supported; remove it: ${UNSUPPORTED[name]}`
      : `${where}: unknown; ${list}; ${HINT}`,
  );
}

function decode(name: string, encoded: string): string {
  if (!/%00/.test(encoded)) {
    try {
      return decodeURIComponent(encoded);
    } catch {
      // Refused below, without the text.
    }
  }
  throw new ConfigError(`${name}: expected percent-encoded UTF-8; ${HINT}`);
}

function assertWithoutAt(part: string, encoded: string): void {
  if (encoded.includes("@")) {
    throw new ConfigError(`${part}: expected no "@"; ${HINT}`);
  }
}

function assertValues({ host = "", port = "5432", sslmode, ...rest }: PostgresParameters): void {
  if (`${host}${port}`.includes(",")) {
    throw new ConfigError(`host: expected one, found several; ${ONE_SERVER}`);
  }
  if (host.startsWith("@")) {
    throw new ConfigError("host: expected no abstract socket; write the directory of a Unix socket");
  }
  if (!/^\d{1,5}$/.test(port) || Number(port) < 1 || Number(port) > 65_535) {
    throw new ConfigError(`port: expected a number from 1 to 65535; ${HINT}`);
  }
  toSslMode(sslmode);
  if ((rest.sslcert === undefined) !== (rest.sslkey === undefined)) {
    throw new ConfigError("sslcert: expected together with sslkey");
  }
}

/**
 * Returns the mode; undefined if none is given.
 *
 * @throws ConfigError if it is unknown
 */
export function toSslMode(text: string | undefined): SslMode | undefined {
  const mode = SSL_MODES.find((each) => each === text);
  if (text !== undefined && mode === undefined) {
    const reason = text === "allow" ? " (allow is not supported, because the driver cannot try again)" : "";
    throw new ConfigError(`sslmode: expected one of ${SSL_MODES.join(", ")}${reason}`);
  }
  return mode;
}

/** Returns the URL without its password, for people. */
export function withoutPassword(url: string): string {
  const { user = "", host = "", port, dbname = "", password: _, ...rest } = parsePostgresUrl(url);
  const at = user === "" ? "" : `${encodeURIComponent(user)}@`;
  const address = host.includes(":") ? `[${host}]` : encodeURIComponent(host);
  const query = Object.entries(rest).map(([name, value]) => `${name}=${encodeURIComponent(value)}`);
  return [
    `postgres://${at}${address}${port === undefined ? "" : `:${port}`}/${encodeURIComponent(dbname)}`,
    ...(query.length === 0 ? [] : [query.join("&")]),
  ].join("?");
}
