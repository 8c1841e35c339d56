/** Structured log lines. `fields` never carries objects' contents or secrets. */
export interface Log {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** A log that adds these fields to every line. */
  with(fields: LogFields): Log;
}

/** Fields of a log line. An `Error` under the name `error` is written with its causes. */
export type LogFields = Readonly<Record<string, unknown>>;

/** Levels of a log, from the most talkative on; `silent` writes nothing. */
export const LOG_LEVELS = ["debug", "info", "warn", "error", "silent"] as const;

/** Lines below this level are not written. */
export type LogLevel = (typeof LOG_LEVELS)[number];

/** A log that writes nothing. */
export function createSilentLog(): Log {
  const log: Log = { debug() {}, info() {}, warn() {}, error() {}, with: () => log };
  return log;
}
