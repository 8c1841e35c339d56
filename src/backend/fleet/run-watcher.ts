import { equals } from "@bufbuild/protobuf";
import {
  type ReconciliationRun,
  ReconciliationRunSchema,
} from "../../../gen/proto/evenkeel/v1/fleet_service_pb.ts";
import type { Clock } from "../../lib/clock.ts";
import { Condition } from "../../lib/condition.ts";
import { toError } from "../../lib/errors.ts";
import type { ClusterSelection, FleetStore } from "../../store/fleet-store.ts";

const POLL_INTERVAL_MS = 500;
/** Time for which an ended run is known. Longer than a slow poll. */
const SLACK_MS = 30_000;

type Runs = ReadonlyMap<string, ReconciliationRun>;

/**
 * Watches runs. All watchers of an account share one poll of the store, so that its cost does not follow their number.
 *
 * It polls because runs change a few times a minute, and several backends and ingesters change them: only the database
 * has all changes.
 */
export class RunWatcher {
  readonly #store: Pick<FleetStore, "listOpenRuns">;
  readonly #clock: Clock;
  readonly #polls = new Map<string, Poll>();

  constructor(store: Pick<FleetStore, "listOpenRuns">, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  /**
   * Yields the account's runs of these clusters when they change, starting with the active ones, until the signal
   * aborts. A state that lasts less than a poll interval may be skipped; the end of a run never is.
   *
   * @throws the reason of `signal`, or the error of the store.
   */
  async *watch(
    signal: AbortSignal,
    account: string,
    { clusters }: ClusterSelection,
  ): AsyncGenerator<ReconciliationRun, void, undefined> {
    const poll = this.#join(account);
    try {
      let known: Runs | undefined;
      for (;;) {
        const runs = await poll.nextAfter(signal, known);
        for (const [id, run] of runs) {
          // The first result also has runs that ended recently; these are not changes.
          const isNews = known === undefined ? run.endTime === undefined : known.get(id) !== run;
          if (isNews && (clusters === undefined || clusters.includes(run.cluster))) {
            yield run;
          }
        }
        known = runs;
      }
    } finally {
      this.#leave(account, poll);
    }
  }

  #join(account: string): Poll {
    const poll = this.#polls.get(account) ?? new Poll(this.#store, this.#clock, account);
    this.#polls.set(account, poll);
    poll.watchers++;
    return poll;
  }

  #leave(account: string, poll: Poll): void {
    poll.watchers--;
    if (poll.watchers === 0) {
      poll.stop();
      this.#polls.delete(account);
    }
  }
}

/** Reads the open runs of an account twice a second. A run that has not changed stays the same object. */
class Poll {
  watchers = 0;
  readonly #store: Pick<FleetStore, "listOpenRuns">;
  readonly #clock: Clock;
  readonly #account: string;
  readonly #stopped = new AbortController();
  readonly #progress = new Condition();
  /** Times, of the monotonic clock, until which ended runs are known. They are not read again. */
  readonly #endedUntil = new Map<string, number>();
  #runs: Runs | undefined;
  #failure: Error | undefined;
  #isReading = false;

  constructor(store: Pick<FleetStore, "listOpenRuns">, clock: Clock, account: string) {
    this.#store = store;
    this.#clock = clock;
    this.#account = account;
  }

  /** Returns the latest runs; if the caller knows them, the next ones. */
  async nextAfter(signal: AbortSignal, known: Runs | undefined): Promise<Runs> {
    signal.throwIfAborted();
    if (!this.#isReading) {
      this.#isReading = true;
      this.#failure = undefined;
      void this.#readAll();
    }
    const isDone = (): boolean => this.#failure !== undefined || this.#runs !== known;
    await this.#progress.waitUntil(signal, isDone);
    if (this.#failure !== undefined || this.#runs === undefined) {
      throw this.#failure;
    }
    return this.#runs;
  }

  stop(): void {
    this.#stopped.abort(new Error("no watcher is left"));
  }

  /** Reads until no watcher is left, or until an error, which all watchers get. Never rejects. */
  async #readAll(): Promise<void> {
    try {
      for (;;) {
        this.#runs = await this.#read();
        this.#progress.notifyAll();
        await this.#clock.sleep(this.#stopped.signal, POLL_INTERVAL_MS);
      }
    } catch (error) {
      this.#failure = toError(error);
      this.#isReading = false;
      this.#progress.notifyAll();
    }
  }

  async #read(): Promise<Runs> {
    const now = this.#clock.monotonic();
    const runs = new Map<string, ReconciliationRun>();
    for (const [id, until] of this.#endedUntil) {
      const run = this.#runs?.get(id);
      if (now >= until || run === undefined) {
        this.#endedUntil.delete(id);
      } else {
        runs.set(id, run);
      }
    }
    const except = [...this.#endedUntil.keys()];
    const query = { endedWithinMs: SLACK_MS, except };
    for (const run of await this.#store.listOpenRuns(this.#stopped.signal, this.#account, query)) {
      const last = this.#runs?.get(run.id);
      runs.set(run.id, last !== undefined && equals(ReconciliationRunSchema, last, run) ? last : run);
      if (run.endTime !== undefined) {
        // The store still returns it for `SLACK_MS` after its end, and its clock may differ.
        this.#endedUntil.set(run.id, now + 2 * SLACK_MS);
      }
    }
    return runs;
  }
}
