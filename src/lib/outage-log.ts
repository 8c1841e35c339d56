import { toMessage } from "./errors.ts";
import type { Log } from "./log.ts";

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
