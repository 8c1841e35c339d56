import { RetryableError, TerminalError, toMessage } from "../../lib/errors.ts";

/** Meaning of an SQLSTATE, or of its class of two characters, for the sender of the statement. */
type Meaning = "retry" | "poison";

/**
 * SQLSTATEs with a known meaning (PostgreSQL documentation, appendix A). Only those of "poison" are
 * permanent: a later attempt may not meet any other, because servers, proxies and schemas change.
 */
const MEANINGS: Readonly<Record<string, Meaning>> = {
  "08": "retry", // connection exceptions
  "53": "retry", // out of disk, memory or connections: others may free some
  "40": "retry", // rolled back: serialization failure (40001), deadlock (40P01), completion unknown (40003)
  "55P03": "retry", // lock not available
  "55006": "retry", // object in use, such as a template database
  "57P01": "retry", // admin shutdown
  "57P02": "retry", // crash shutdown
  "57P03": "retry", // cannot connect now: starting or stopping
  "57P04": "retry", // database dropped
  "57P05": "retry", // idle session timeout
  "57014": "retry", // canceled, by a statement timeout
  "28": "retry", // invalid authorization: nothing of the stream is given up until that is repaired
  "3D000": "retry", // the database does not exist yet
  "3F000": "retry", // the schema does not exist yet
  "42501": "retry", // insufficient privilege
  "42P01": "retry", // undefined table: migrations were not applied yet
  "42703": "retry", // undefined column: the same
  "25006": "retry", // read-only transaction: connected to what was the primary
  "25P03": "retry", // idle in transaction timeout
  "25P04": "retry", // transaction timeout
  "58": "retry", // system error: the server's files or devices
  "22": "poison", // data exceptions: \u0000 in jsonb (22P05), invalid JSON, UTF-8, numbers out of range
  "23514": "poison", // check violation
  "54": "poison", // program limits: too large for jsonb, nested too deeply
};

/** Node's codes are longer, except some such as EPIPE; no class of Postgres begins with an E. */
const SQLSTATE = /^[0-9A-DF-Z][0-9A-Z]{4}$/;

/** Errors of the driver that mean "no connection" and have a text only. */
const NO_CONNECTION =
  /Connection terminated|timeout exceeded when trying to connect|timeout expired|not queryable|connection error|SSL connection|^SASL/i;

/** The driver's text for a query without an answer in time; it has no code. */
const QUERY_TIMEOUT = "Query read timeout";

/** Prisma's codes for "no connection" all have this form. */
const NO_CONNECTION_OF_PRISMA = /^P1\d{3}$/;

/** Prisma's codes, which hide those of the driver. */
const CODE_OF_PRISMA = /^P\d{4}$/;

/** The database cannot hold what the statement says: the same statement fails the same way each time. */
export class PoisonError extends TerminalError {
  override readonly name = "PoisonError";
}

/** A query without an answer in time. Its connection still waits for that, so nothing else can use it. */
export class QueryTimeoutError extends RetryableError {
  override readonly name = "QueryTimeoutError";
}

/**
 * A statement that Postgres refused for a reason without a known meaning: a wrong statement, another schema,
 * or a state of the server that passes.
 */
export class StatementError extends Error {
  override readonly name = "StatementError";
  readonly sqlState: string;

  constructor(message: string, sqlState: string, options?: ErrorOptions) {
    super(message, options);
    this.sqlState = sqlState;
  }
}

/** Translates an error of the driver, or of Prisma over it, into one of ours. */
export function toStoreError(cause: unknown): Error {
  if (cause instanceof TerminalError || cause instanceof RetryableError) {
    return cause;
  }
  const message = toMessage(cause);
  const code = codeOf(cause);
  const sqlState = code !== undefined && SQLSTATE.test(code) ? code : undefined;
  const meaning = sqlState && (MEANINGS[sqlState] ?? MEANINGS[sqlState.slice(0, 2)]);
  if (meaning === "poison") {
    return new PoisonError(`Postgres cannot store this: ${message} (SQLSTATE ${sqlState})`, { cause });
  }
  if (sqlState === undefined && message.includes(QUERY_TIMEOUT)) {
    return new QueryTimeoutError(`Postgres is not available: ${message}`, { cause });
  }
  if (meaning === "retry" || (sqlState === undefined && hasNoConnection(cause, code, message))) {
    return new RetryableError(`Postgres is not available: ${message}`, { cause });
  }
  if (sqlState !== undefined) {
    return new StatementError(`Postgres refused a statement: ${message} (SQLSTATE ${sqlState})`, sqlState, {
      cause,
    });
  }
  return cause instanceof Error ? cause : new Error(message);
}

/**
 * True for every error with a code that is not Postgres' own: sockets, DNS and TLS have many, and each
 * version of Node may add some.
 */
function hasNoConnection(cause: unknown, code: string | undefined, message: string): boolean {
  if (isFault(cause)) {
    return false;
  }
  const prismaCode = String((cause as { code?: unknown } | undefined)?.code);
  return code !== undefined || NO_CONNECTION.test(message) || NO_CONNECTION_OF_PRISMA.test(prismaCode);
}

/** True for errors of the language and for aborts, whose codes mean nothing about a connection. */
function isFault(cause: unknown): boolean {
  return (
    cause instanceof TypeError ||
    cause instanceof RangeError ||
    cause instanceof ReferenceError ||
    cause instanceof SyntaxError ||
    (cause instanceof Error && cause.name === "AbortError")
  );
}

/** The driver has the code on the error; Prisma has the driver's error below `meta` or `cause`. */
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
