import { toMessage } from "./errors.ts";

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

/** The forms of log lines; `auto` is text on a terminal, and JSON elsewhere. */
export const LOG_FORMATS = ["auto", "json", "text"] as const;

/** The form of the lines that are written. */
export type LogFormat = (typeof LOG_FORMATS)[number];

/** Creates a log that writes nothing. */
export function createSilentLog(): Log {
  const log: Log = { debug() {}, info() {}, warn() {}, error() {}, with: () => log };
  return log;
}

/**
 * Logs the outage of an operation that is retried: its first failure, each change of the error, and the first
 * success. A line for every attempt would fill the log of each part that waits for the end of the outage.
 */
export interface OutageLog {
  /** Records a failed attempt. */
  failed(error: unknown, level?: "info" | "warn"): void;
  /** Records a successful attempt. */
  worked(): void;
}

/** The log lines of an outage: `failed` has the error as a field, `worked` reports the end. */
export interface OutageMessages {
  readonly failed: string;
  readonly worked: string;
}

/** Creates the outage log of one operation. */
export function createOutageLog(log: Log, messages: OutageMessages): OutageLog {
  let last: string | undefined;
  return {
    failed(cause, level = "warn") {
      const error = toMessage(cause);
      if (error !== last) {
        last = error;
        log[level](messages.failed, { error });
      }
    },
    worked() {
      if (last !== undefined) {
        last = undefined;
        log.info(messages.worked);
      }
    },
  };
}
