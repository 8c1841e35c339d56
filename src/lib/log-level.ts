/** Levels of a log, from the most talkative on; `silent` writes nothing. */
export const logLevels = ["debug", "info", "warn", "error", "silent"] as const;

/** Lines below this level are not written. */
export type LogLevel = (typeof logLevels)[number];
