import type { Log } from "./log.ts";

/** A log that writes nothing. */
export function createSilentLog(): Log {
  const log: Log = { debug() {}, info() {}, warn() {}, error() {}, with: () => log };
  return log;
}
