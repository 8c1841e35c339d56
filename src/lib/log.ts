/** A structured log. `fields` must never contain secrets or the content of objects. */
export interface Log {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** Returns a log that adds these fields to every line. */
  with(fields: LogFields): Log;
}

/** Fields of a log line. An `Error` under the name `error` is written with its causes. */
export type LogFields = Readonly<Record<string, unknown>>;

/** The levels of a log, from the most detailed one; `silent` writes nothing. */
export const LOG_LEVELS = ["debug", "info", "warn", "error", "silent"] as const;

/** The minimum level of the lines that are written. */
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Creates a log that writes nothing. */
export function createSilentLog(): Log {
  const log: Log = { debug() {}, info() {}, warn() {}, error() {}, with: () => log };
  return log;
}
