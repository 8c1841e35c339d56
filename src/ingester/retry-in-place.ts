import { sleepUnlessAborted } from "../lib/abort.ts";
import { createBackoff } from "../lib/backoff.ts";
import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import { createOutageLog } from "../lib/outage-log.ts";
import type { Random } from "../lib/random.ts";
import { toDisposition } from "./disposition.ts";

/** How an attempt, repeated as long as that may help, came out. */
export type Outcome<T> =
  | { readonly kind: "done"; readonly value: T }
  /** It can never succeed. */
  | { readonly kind: "failed"; readonly reason: string }
  /** The signal aborted first. */
  | { readonly kind: "stopped" };

/** What waiting between attempts needs. */
export interface RetryDependencies {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** An attempt has failed, and another one follows after a wait. The code is that of an unknown error. */
  readonly onWait: (unknownCode: string | undefined) => void;
}

/** Repeats an attempt, with jittered backoff, for as long as its failure may pass. */
export async function retryInPlace<T>(
  signal: AbortSignal,
  { clock, random, log, onWait }: RetryDependencies,
  attempt: () => Promise<T>,
): Promise<Outcome<T>> {
  const backoff = createBackoff(random, { initialMs: 100, maxMs: 10_000 });
  const outage = createOutageLog(log, { failed: "waiting to try again", worked: "going on" });
  for (;;) {
    try {
      const value = await attempt();
      outage.worked();
      return { kind: "done", value };
    } catch (error) {
      const disposition = toDisposition(signal, error);
      switch (disposition.kind) {
        case "stop":
          return { kind: "stopped" };
        case "deadLetter":
          return { kind: "failed", reason: disposition.reason };
        case "retry":
          onWait(disposition.unknownCode);
          outage.failed(error);
          break;
        default:
          disposition satisfies never;
      }
      await sleepUnlessAborted(signal, clock, Math.max(backoff.nextMs(), disposition.afterMs ?? 0));
    }
  }
}
