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
