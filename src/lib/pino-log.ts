import { type DestinationStream, type Logger, pino, stdSerializers } from "pino";
import type { Log, LogLevel } from "./log.ts";

/** Where and how much to log. */
export interface PinoLogOptions {
  /** Default `info`. */
  readonly level?: LogLevel;
  /** Default: standard error, so that standard output stays free for results. */
  readonly destination?: DestinationStream;
}

/**
 * A log that writes one JSON object per line, with an ISO time and the level by name.
 *
 * Lines are written synchronously: none is lost when the process ends, and none is written after its end.
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
