import { type DestinationStream, type Logger, pino, stdSerializers } from "pino";
import type { Log, LogFormat, LogLevel } from "./log.ts";
import { toTextLine } from "./text-line.ts";

export interface PinoLogOptions {
  /** Default `info`. */
  readonly level?: LogLevel;
  /** Default `json`. */
  readonly format?: LogFormat;
  /** Default: standard error, because standard output is for results. */
  readonly destination?: DestinationStream;
}

/**
 * Creates a log that writes a line for each entry: a JSON object with an ISO time and the name of the level, or a text
 * for people. Stacks are written at level `debug` only. It writes synchronously, so that no line is lost when the
 * process ends.
 */
export function createPinoLog({ level = "info", format = "json", destination }: PinoLogOptions = {}): Log {
  const options = {
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
    messageKey: "message",
    serializers: { error: level === "debug" ? stdSerializers.err : withoutStack },
  };
  const lines = destination ?? pino.destination({ dest: 2, sync: true });
  const texts = { write: (json: string) => lines.write(toTextLine(json)) };
  return toLog(pino(options, isText(format) ? texts : lines));
}

function isText(format: LogFormat): boolean {
  return format === "text" || (format === "auto" && process.stderr.isTTY);
}

/** Returns the type, the code and the message of an error with those of its causes. */
function withoutStack(error: unknown): unknown {
  if (!(error instanceof Error)) {
    return error;
  }
  const { type, message } = stdSerializers.err(error);
  const { code } = error as { readonly code?: unknown };
  return { type, message, ...(typeof code === "string" && { code }) };
}

function toLog(logger: Logger): Log {
  return {
    debug: (message, fields = {}) => logger.debug(fields, message),
    info: (message, fields = {}) => logger.info(fields, message),
    warn: (message, fields = {}) => logger.warn(fields, message),
    error: (message, fields = {}) => logger.error(fields, message),
    with: (fields) => toLog(logger.child(fields)),
  };
}
