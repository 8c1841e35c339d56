import { type DestinationStream, type Logger, pino, stdSerializers } from "pino";
import type { Log, LogLevel } from "./log.ts";

export interface PinoLogOptions {
  /** Default `info`. */
  readonly level?: LogLevel;
  /** Default: standard error, because standard output is for results. */
  readonly destination?: DestinationStream;
}

/**
 * Creates a log that writes one JSON object per line, with an ISO time and the name of the level. It writes
 * synchronously, so that no line is lost when the process ends.
 */
export function createPinoLog({ level = "info", destination }: PinoLogOptions = {}): Log {
  const options = {
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
    messageKey: "message",
    serializers: { error: stdSerializers.errWithCause },
  };
  return toLog(pino(options, destination ?? pino.destination({ dest: 2, sync: true })));
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
