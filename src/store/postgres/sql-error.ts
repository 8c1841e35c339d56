import { isAbortError } from "../../lib/abort.ts";
import { RetryableError, TerminalError, toError, toMessage } from "../../lib/errors.ts";

/** Meaning of an SQLSTATE, or of its class (two characters), for the sender of the statement. */
type Meaning = "retry" | "poison";

/**
 * SQLSTATEs with a known meaning (PostgreSQL documentation, appendix A). Only "poison" is permanent. A later attempt
 * may not meet the others, because servers, proxies and schemas change.
 */
const MEANINGS: Readonly<Record<string, Meaning>> = {
  "08": "retry", // connection exceptions
  "53": "retry", // out of disk, memory or connections; they may become free
  "40": "retry", // rolled back: serialization failure (40001), deadlock (40P01), completion unknown (40003)
  "55P03": "retry", // lock not available
  "55006": "retry", // object in use, such as a template database
  "57P01": "retry", // admin shutdown
  "57P02": "retry", // crash shutdown
  "57P03": "retry", // cannot connect now: starting or stopping
  "57P04": "retry", // database dropped
  "57P05": "retry", // idle session timeout
  "57014": "retry", // canceled, by a statement timeout
  "28": "retry", // invalid authorization: the stream waits until an operator repairs it
  "3D000": "retry", // the database does not exist yet
  "3F000": "retry", // the schema does not exist yet
  "42501": "retry", // insufficient privilege
  "42P01": "retry", // undefined table: migrations were not applied yet
  "42703": "retry", // undefined column: migrations were not applied yet
  "25006": "retry", // read-only transaction: connected to a former primary
  "25P03": "retry", // idle in transaction timeout
  "25P04": "retry", // transaction timeout
  "58": "retry", // system error: the server's files or devices
  "22": "poison", // data exceptions: \u0000 in jsonb (22P05), invalid JSON, UTF-8, numbers out of range
  "23514": "poison", // check violation
  "54": "poison", // program limits: too large for jsonb, nested too deeply
};

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

/** Prisma's codes. They hide the codes of the driver. */
const CODE_OF_PRISMA = /^P\d{4}$/;

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
    return new QueryTimeoutError(`Postgres: not available: ${message}`, { cause });
  }
  if (meaning === "retry" || (sqlState === undefined && hasNoConnection(cause, code, message))) {
    return new RetryableError(`Postgres: not available: ${message}`, { cause });
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
