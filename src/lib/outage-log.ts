import { toMessage } from "./errors.ts";
import type { Log } from "./log.ts";

/**
 * Tells of something that is tried again and again: when it begins to fail, when it fails in another way, and when it
 * works again. Told at every attempt, one outage would fill the log of everything that waits for its end.
 */
export interface OutageLog {
  /** An attempt has failed. */
  failed(error: unknown, level?: "info" | "warn"): void;
  /** An attempt has succeeded. */
  worked(): void;
}

/** What is told: of the first failure, with its error, and of the end. */
export interface OutageMessages {
  readonly failed: string;
  readonly worked: string;
}

/** Makes an {@link OutageLog} of one thing that may fail. */
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
