import { RetryableError, TerminalError, toMessage } from "../lib/errors.ts";

/** What an SQLSTATE (or its class of two characters) means for who sent the statement. */
type Meaning = "retry" | "poison";

/**
 * SQLSTATEs that are not simply wrong statements. Everything else is a fault of ours or of the schema's. Codes: PostgreSQL documentation, appendix A.
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
  "57P05": "retry", // idle session timeout
  "57014": "retry", // canceled, by a statement timeout
  "28": "retry", // invalid authorization: until somebody mends it, nothing of the stream must be given up
  "3D000": "retry", // the database does not exist yet
  "3F000": "retry", // the schema does not exist yet
  "42501": "retry", // insufficient privilege
  "42P01": "retry", // undefined table: migrations were not applied yet
  "42703": "retry", // undefined column: likewise
  "25006": "retry", // read-only transaction: connected to what was the primary
  "25P03": "retry", // idle in transaction timeout
  "25P04": "retry", // transaction timeout
  "58": "retry", // system error: the server's files or devices
  "22": "poison", // data exceptions: \u0000 in jsonb (22P05), invalid JSON, UTF-8, numbers out of range
  "23514": "poison", // check violation
  "54": "poison", // program limits: too large for jsonb, nested too deeply
};

/** Node's errors have codes too, which are longer. */
const SQLSTATE = /^[0-9A-Z]{5}$/;

/** Errors of Node and the driver that mean "no connection"; the driver gives some of them a text only. */
const NO_CONNECTION =
  /ECONNREFUSED|ECONNRESET|EPIPE|ETIMEDOUT|ENOENT|EHOSTUNREACH|EAI_AGAIN|ENOTFOUND|Connection terminated|timeout exceeded when trying to connect|not queryable|connection error/i;

/** What Prisma makes of them: not reached, timed out, operation timed out, closed. */
const NO_CONNECTION_OF_PRISMA: ReadonlySet<unknown> = new Set(["P1001", "P1002", "P1008", "P1017"]);

/** The database cannot hold what the statement says: the same statement fails the same way each time. */
export class PoisonError extends TerminalError {
  override readonly name = "PoisonError";
}

/** A statement of ours that is wrong, or a schema that is not ours: nothing that a caller could mend. */
export class StatementError extends Error {
  override readonly name = "StatementError";
}

/** Translates an error of the driver, or of Prisma over it, into one of ours. */
export function toStoreError(cause: unknown): Error {
  if (cause instanceof TerminalError || cause instanceof RetryableError) {
    return cause;
  }
  const message = toMessage(cause);
  const code = sqlStateOf(cause);
  const meaning = code === undefined ? undefined : (MEANINGS[code] ?? MEANINGS[code.slice(0, 2)]);
  if (meaning === "poison") {
    return new PoisonError(`Postgres cannot store this: ${message} (SQLSTATE ${code})`, { cause });
  }
  if (meaning === "retry" || hasNoConnection(cause, `${code ?? ""} ${message}`)) {
    return new RetryableError(`Postgres is not available: ${message}`, { cause });
  }
  if (code === undefined || !SQLSTATE.test(code)) {
    return cause instanceof Error ? cause : new Error(message);
  }
  return new StatementError(`Postgres refused a statement: ${message} (SQLSTATE ${code})`, {
    cause,
  });
}

function hasNoConnection(cause: unknown, text: string): boolean {
  return (
    NO_CONNECTION.test(text) || NO_CONNECTION_OF_PRISMA.has((cause as { code?: unknown } | undefined)?.code)
  );
}

/** The driver has the code on the error; Prisma has the driver's error below `meta` or `cause`. */
function sqlStateOf(error: unknown, depth = 0): string | undefined {
  if (typeof error !== "object" || error === null || depth > 4) {
    return undefined;
  }
  const { code, originalCode, cause, meta, driverAdapterError } = error as Readonly<Record<string, unknown>>;
  for (const candidate of [originalCode, code]) {
    if (typeof candidate === "string" && !/^P\d{4}$/.test(candidate)) {
      return candidate;
    }
  }
  return (
    sqlStateOf(driverAdapterError, depth + 1) ?? sqlStateOf(meta, depth + 1) ?? sqlStateOf(cause, depth + 1)
  );
}
