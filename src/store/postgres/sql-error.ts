import { isAbortError } from "../../lib/abort.ts";
import { RetryableError, TerminalError, toError, toMessage } from "../../lib/errors.ts";

/**
 * Meaning of an SQLSTATE, or of its class (two characters), for the sender of the statement. Only "poison" is
 * permanent: a later attempt may not meet the others, because servers, proxies and schemas change. A "fault" is retried
 * and counted as an unknown error: the statement or the schema may be wrong.
 */
type Meaning = "retry" | "poison" | "fault";

/** All classes of SQLSTATEs (PostgreSQL documentation, appendix A), and codes that differ from their class. */
export const MEANINGS: Readonly<Record<string, Meaning>> = {
  "01": "fault", // a warning is no error
  "02": "fault", // no data: of PL/pgSQL
  "03": "fault", // SQL statement not yet complete
  "08": "retry", // connection exceptions
  "09": "fault", // triggered action: a trigger of others on our tables
  "0A": "fault", // not supported: "cached plan must not change result type" after a migration, or an older server
  "0B": "fault", // invalid transaction initiation
  "0F": "fault", // locators: of large objects, which nothing uses
  "0L": "fault", // invalid grantor
  "0P": "fault", // invalid role: SET ROLE of the login, which others may repair
  "0Z": "fault", // diagnostics of PL/pgSQL
  "10": "fault", // XQuery
  "20": "fault", // case not found: of PL/pgSQL
  "21": "fault", // cardinality: a statement touched a row twice
  "22": "poison", // data exceptions: \u0000 in jsonb (22P05), invalid JSON, UTF-8, numbers out of range
  "23": "fault", // constraints: a defect of a statement, or a constraint of others
  "23514": "poison", // check violation
  "24": "fault", // invalid cursor state
  "25": "retry", // transaction state: a former primary is read-only, a timeout or a pooler ended the transaction
  "26": "fault", // invalid prepared statement name: a pooler gave the statement another connection
  "27": "fault", // triggered data change: a trigger of others changed the row
  "28": "retry", // invalid authorization: the stream waits until an operator repairs it
  "2B": "fault", // dependent privileges
  "2D": "fault", // invalid transaction termination
  "2F": "fault", // SQL routine: a function of others
  "34": "fault", // invalid cursor name
  "38": "fault", // external routine: a function of others
  "39": "fault", // external routine invocation: a trigger of others
  "3B": "fault", // savepoint: the transaction is not the one that set it
  "3D": "retry", // the database does not exist yet
  "3F": "retry", // the schema does not exist yet
  "40": "retry", // rolled back: serialization failure (40001), deadlock (40P01), completion unknown (40003)
  "42": "fault", // syntax, access rule and names: another schema than ours
  "42501": "retry", // insufficient privilege
  "42703": "retry", // undefined column: migrations were not applied yet
  "42P01": "retry", // undefined table: migrations were not applied yet
  "44": "fault", // a view with CHECK OPTION
  "53": "retry", // out of disk, memory or connections; they may become free
  "54": "poison", // program limits: too large for jsonb, nested too deeply
  "55": "retry", // object not in the prerequisite state: a lock that is not available, an object in use
  "57": "retry", // operator intervention: shutdown, start, a dropped database, a timeout, a cancelled statement
  "58": "retry", // system error: the server's files or devices
  F0: "fault", // configuration file of the server
  HV: "fault", // foreign data wrapper: a table of others
  P0: "fault", // PL/pgSQL: a trigger of others raised it
  XX: "fault", // internal error of the server, or a damaged row that a scrub reports
};

/** Message for callers of the services: the driver's own text has addresses, and names of roles and tables. */
const NOT_AVAILABLE = "the database is not available; try again";

/** Node's codes are longer, except some such as EPIPE; no class of Postgres begins with an E. */
const SQLSTATE = /^[0-9A-DF-Z][0-9A-Z]{4}$/;

/** Texts of the driver's errors that mean "no connection" and have no code. */
const NO_CONNECTION = [
  /Connection terminated|timeout exceeded when trying to connect|timeout expired/i,
  /not queryable|connection error|SSL connection|^SASL/i,
];

/** Text of the driver's error for a query without an answer in time. It has no code. */
const QUERY_TIMEOUT = "Query read timeout";

/** Prisma's codes for "no connection" all have this form. */
const NO_CONNECTION_OF_PRISMA = /^P1\d{3}$/;

/** Prisma's codes. They hide the codes of the driver. Those of PL/pgSQL begin with P0. */
const CODE_OF_PRISMA = /^P[1-9]\d{3}$/;

/** Error for a statement with values that the database cannot store. The same statement always fails. */
export class PoisonError extends TerminalError {
  override readonly name = "PoisonError";
}

/** Error for a query without an answer in time. Its connection still waits for the answer and cannot be used again. */
export class QueryTimeoutError extends RetryableError {
  override readonly name = "QueryTimeoutError";
}

/**
 * Error for a statement that Postgres refused for an unknown reason: a wrong statement, another schema, or a temporary
 * state of the server.
 */
export class StatementError extends Error {
  override readonly name = "StatementError";
  readonly sqlState: string;

  constructor(message: string, sqlState: string, options?: ErrorOptions) {
    super(message, options);
    this.sqlState = sqlState;
  }
}

/** Translates an error of the driver or of Prisma into an error of this project. */
export function toStoreError(cause: unknown): Error {
  if (cause instanceof TerminalError || cause instanceof RetryableError) {
    return cause;
  }
  const message = toMessage(cause);
  const code = codeOf(cause);
  const sqlState = code !== undefined && SQLSTATE.test(code) ? code : undefined;
  const meaning = sqlState && (MEANINGS[sqlState] ?? MEANINGS[sqlState.slice(0, 2)]);
  if (meaning === "poison") {
    return new PoisonError(`Postgres: cannot store the value: ${message} (SQLSTATE ${sqlState})`, { cause });
  }
  if (sqlState === undefined && message.includes(QUERY_TIMEOUT)) {
    return new QueryTimeoutError(`Postgres: not available: ${message}`, {
      cause,
      publicMessage: NOT_AVAILABLE,
    });
  }
  if (meaning === "retry" || (sqlState === undefined && hasNoConnection(cause, code, message))) {
    return new RetryableError(`Postgres: not available: ${message}`, { cause, publicMessage: NOT_AVAILABLE });
  }
  if (sqlState !== undefined) {
    return new StatementError(`Postgres: statement refused: ${message} (SQLSTATE ${sqlState})`, sqlState, {
      cause,
    });
  }
  return toError(cause);
}

/**
 * True if the connection of a failed statement must not be used again: it still waits for an answer, or its server has
 * become a standby, and a new connection may reach the primary.
 */
export function isConnectionUseless(error: unknown): boolean {
  return toStoreError(error) instanceof QueryTimeoutError || codeOf(error) === "25006";
}

/** True if the statement waited for a lock until its timeout. */
export function isLockTimeout(error: unknown): boolean {
  return codeOf(error) === "55P03";
}

/**
 * True if the error means "no connection": every code that is not one of Postgres does. Sockets, DNS and TLS have many
 * codes, and each version of Node may add some.
 */
function hasNoConnection(cause: unknown, code: string | undefined, message: string): boolean {
  if (isFault(cause)) {
    return false;
  }
  const prismaCode = String((cause as { code?: unknown } | undefined)?.code);
  const hasText = NO_CONNECTION.some((text) => text.test(message));
  return code !== undefined || hasText || NO_CONNECTION_OF_PRISMA.test(prismaCode);
}

/** True if the error is one of the language or an abort. Their codes do not concern a connection. */
function isFault(cause: unknown): boolean {
  return (
    cause instanceof TypeError ||
    cause instanceof RangeError ||
    cause instanceof ReferenceError ||
    cause instanceof SyntaxError ||
    isAbortError(cause)
  );
}

/** Returns the code of an error. Prisma nests the driver's error below `meta` or `cause`. */
function codeOf(error: unknown, depth = 0): string | undefined {
  if (typeof error !== "object" || error === null || depth > 4) {
    return undefined;
  }
  const { code, originalCode, cause, meta, driverAdapterError } = error as Readonly<Record<string, unknown>>;
  for (const candidate of [originalCode, code]) {
    if (typeof candidate === "string" && !CODE_OF_PRISMA.test(candidate)) {
      return candidate;
    }
  }
  return codeOf(driverAdapterError, depth + 1) ?? codeOf(meta, depth + 1) ?? codeOf(cause, depth + 1);
}
