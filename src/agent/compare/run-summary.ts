import type { ResourceReconciled } from "../../../gen/proto/evenkeel/v1/reconciliation_pb.ts";
import { sleepUnlessAborted } from "../../lib/abort.ts";
import type { Clock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";

/**
 * Time without work after which a run counts as answered, in milliseconds. The agent does not know the number
 * of resource types in an inventory.
 */
const QUIET_MS = 5_000;

/** Adds up the ends of the comparisons of one attempt of a run, and logs them in one line. */
export class RunSummary {
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #runId: string;
  readonly #begun: number;
  #lastEnd: number;
  #isWaiting = false;
  readonly #counts = { compared: 0, failed: 0, listed: 0n, put: 0n, deleted: 0n };

  constructor(log: Log, clock: Clock, runId: string) {
    this.#log = log;
    this.#clock = clock;
    this.#runId = runId;
    this.#begun = clock.monotonic();
    this.#lastEnd = this.#begun;
  }

  /** Adds the end of a comparison. */
  add({ failure, listed, put, deleted }: ResourceReconciled): void {
    this.#lastEnd = this.#clock.monotonic();
    this.#counts[failure === undefined ? "compared" : "failed"]++;
    this.#counts.listed += listed;
    this.#counts.put += put;
    this.#counts.deleted += deleted;
  }

  /**
   * Logs the line once no comparison is open for some seconds, or `signal` aborts. Called at each begin of a
   * comparison; a call during the wait of an earlier one returns at once.
   */
  async write(signal: AbortSignal, countOpen: () => number): Promise<void> {
    if (this.#isWaiting) {
      return;
    }
    this.#isWaiting = true;
    const isQuiet = (): boolean => countOpen() === 0 && this.#clock.monotonic() - this.#lastEnd >= QUIET_MS;
    while (!signal.aborted && !isQuiet()) {
      await sleepUnlessAborted(signal, this.#clock, QUIET_MS);
    }
    this.#isWaiting = false;
    const unfinished = countOpen();
    this.#log.info("run compared", {
      runId: this.#runId,
      ...this.#counts,
      ...(unfinished === 0 ? {} : { unfinished }),
      durationMs: Math.round(this.#lastEnd - this.#begun),
    });
  }
}
