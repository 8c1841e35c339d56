import { create } from "@bufbuild/protobuf";
import {
  type Batch,
  BatchType,
  type InventoryChunk,
  type RunRef,
} from "../../../gen/proto/evenkeel/v1/batch_pb.ts";
import {
  type ResourceReconciled,
  ResourceReconciledSchema,
} from "../../../gen/proto/evenkeel/v1/reconciliation_pb.ts";
import type { ResourceType } from "../../../gen/proto/evenkeel/v1/resource_pb.ts";
import { resourceTypeKey } from "../../domain/resource-type.ts";
import { ClusterChangedError } from "../../kube/api-server.ts";
import type { Clock } from "../../lib/clock.ts";
import { Condition } from "../../lib/condition.ts";
import { toError, toMessage } from "../../lib/errors.ts";
import type { Log } from "../../lib/log.ts";
import type { AgentTuning } from "../config.ts";
import type { FailureReports } from "../failure-log.ts";
import type { AgentCounters } from "../metrics.ts";
import type { UplinkSession } from "../uplink/session.ts";
import type { Reflector } from "../watch/reflector.ts";
import { Comparison } from "./comparison.ts";
import { ComparisonError, toComparisonFailure } from "./difference-reader.ts";
import { type PackedChunk, packInventory } from "./inventory-chunk.ts";
import { RunSummary } from "./run-summary.ts";

export interface ComparisonWorkerOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly failures: FailureReports;
  readonly counters: AgentCounters;
  readonly limits: ComparisonLimits;
  /** Returns the reflector of a resource type in the scope. */
  readonly reflectorOf: (resourceKey: string) => Reflector | undefined;
  /** Returns the resource types in the scope. */
  readonly resourceKeys: () => readonly string[];
}

/** Limits of the comparisons that run at a time. */
export type ComparisonLimits = Pick<AgentTuning, "maxComparisons" | "comparisonSlotMs" | "maxInventoryBytes">;

/** A queued or running comparison. */
interface Job {
  readonly resourceKey: string;
  readonly resourceType: ResourceType;
  readonly run: RunRef;
  readonly attempt: Attempt;
  readonly session: UplinkSession;
  /** Aborts when the session ends, or another run or attempt replaces this one. */
  readonly signal: AbortSignal;
  readonly comparison: Comparison;
}

/** An attempt of a run in one session. */
interface Attempt {
  readonly runId: string;
  readonly attempt: number;
  readonly session: UplinkSession;
  readonly replaced: AbortController;
  /**
   * Jobs by resource type. After the end of a comparison its entry is "done", and late chunks are ignored.
   */
  readonly jobs: Map<string, Job | "done">;
  readonly summary: RunSummary;
}

/**
 * Answers runs: assigns the chunks of inventories to comparisons, and runs up to `maxComparisons` at a time. A
 * comparison counts for `comparisonSlotMs` at most, so any number of lists that hang hold up no other comparison for
 * long.
 *
 * Comparisons begin in the order in which their inventories arrive. While one runs, another one begins only if
 * the lists of both and the waiting chunks take at most `maxInventoryBytes`. The messages of comparisons that run
 * at the same time mix in the stream: see {@link judgeComparison}.
 *
 * A higher attempt replaces a lower one, another run replaces the previous run, and a new session replaces
 * all of them. Late chunks of a replaced attempt are ignored.
 */
export class ComparisonWorker {
  readonly #options: ComparisonWorkerOptions;
  readonly #queue: Job[] = [];
  readonly #running = new Set<Job>();
  /** Running comparisons that count among `maxComparisons`. */
  readonly #slots = new Set<Job>();
  /** Notified when another comparison may be able to begin. */
  readonly #changed = new Condition();
  /** IDs of the runs that were replaced in the current session. */
  readonly #replacedRuns = new Set<string>();
  #current: Attempt | undefined;

  constructor(options: ComparisonWorkerOptions) {
    this.#options = options;
  }

  /** Accepts a batch of type RECONCILIATION or DRY_RUN. Does not wait. */
  compare(session: UplinkSession, batch: Batch): void {
    const { chunk, resourceType: resource } = batch;
    const run = chunk?.run;
    if (chunk === undefined || run === undefined || resource === undefined) {
      this.#options.log.error("reconciliation batch without resource type, chunk or run ignored");
      return;
    }
    const attempt = this.#attemptOf(session, run);
    const resourceKey = resourceTypeKey(resource);
    const job =
      attempt && (attempt.jobs.get(resourceKey) ?? this.#startJob(attempt, resource, batch, chunk, run));
    if (job === undefined || job === "done") {
      return;
    }
    try {
      this.#offer(job, packInventory(batch, chunk));
    } catch (error) {
      job.comparison.fail(toError(error));
    }
  }

  /** Reports the comparison of a refused batch as failed. Does not wait. */
  refuse(session: UplinkSession, batch: Batch, error: unknown): void {
    const { chunk, resourceType } = batch;
    const run = chunk?.run;
    this.#options.log.error("batch of the backend refused", { error: toMessage(error) });
    if (run !== undefined && resourceType !== undefined && !session.signal.aborted) {
      const end = failed(session, resourceType, session.nextSequence, error);
      session.sendEnd(run, end);
      if (this.#current?.session === session && this.#current.runId === run.runId) {
        this.#current.summary.add(end);
        this.#releaseLastEnds(this.#current);
      }
    }
  }

  /**
   * Compares until `signal` aborts.
   *
   * @throws ClusterChangedError when the API server belongs to another cluster; other errors fail one
   * comparison.
   */
  async run(signal: AbortSignal): Promise<void> {
    const failed = new AbortController();
    const stop = AbortSignal.any([signal, failed.signal]);
    const tasks = new Set<Promise<void>>();
    const track = (task: Promise<void>): void => {
      const settled = task
        .catch((error: unknown) => failed.abort(error))
        .finally(() => void tasks.delete(settled));
      tasks.add(settled);
    };
    try {
      for (;;) {
        stop.throwIfAborted();
        await this.#changed.waitUntil(stop, () => this.#canBegin());
        const job = this.#queue.shift();
        if (job !== undefined && !job.signal.aborted) {
          const { summary, jobs } = job.attempt;
          track(this.#runJob(stop, job));
          track(summary.write(AbortSignal.any([stop, job.signal]), () => openJobs(jobs).length));
        }
      }
    } finally {
      await Promise.all(tasks);
    }
  }

  /** True if the first comparison of the queue may begin. */
  #canBegin(): boolean {
    const [next] = this.#queue;
    if (next === undefined || this.#running.size === 0) {
      return next !== undefined;
    }
    const { maxComparisons, maxInventoryBytes } = this.#options.limits;
    const bytes = [next, ...this.#running].reduce(
      (sum, { comparison }) => sum + comparison.listBytes,
      waitingBytes(next.attempt),
    );
    return this.#slots.size < maxComparisons && bytes <= maxInventoryBytes;
  }

  #attemptOf(session: UplinkSession, { runId, attempt }: RunRef): Attempt | undefined {
    const current = this.#current;
    if (current?.session === session) {
      if (this.#replacedRuns.has(runId) || (runId === current.runId && attempt < current.attempt)) {
        return undefined;
      }
      if (runId === current.runId && attempt === current.attempt) {
        return current;
      }
      if (runId !== current.runId) {
        this.#replacedRuns.add(current.runId);
      }
    } else {
      this.#replacedRuns.clear();
    }
    current?.replaced.abort(new ComparisonError("Replaced", "another attempt or session replaced this one"));
    const { log, clock } = this.#options;
    const summary = new RunSummary(log, clock, runId);
    this.#current = { runId, attempt, session, replaced: new AbortController(), jobs: new Map(), summary };
    return this.#current;
  }

  #startJob(
    attempt: Attempt,
    resource: ResourceType,
    batch: Batch,
    chunk: InventoryChunk,
    run: RunRef,
  ): Job | "done" {
    const { session } = attempt;
    const resourceKey = resourceTypeKey(resource);
    const reflector = this.#options.reflectorOf(resourceKey);
    if (reflector === undefined) {
      attempt.jobs.set(resourceKey, "done");
      this.refuse(
        session,
        batch,
        new ComparisonError("NotInScope", `${resourceKey}: not in the scope of this agent`),
      );
      return "done";
    }
    const signal = AbortSignal.any([session.signal, attempt.replaced.signal]);
    const isDryRun = batch.type === BatchType.DRY_RUN;
    const comparison = new Comparison(reflector, session, {
      ...{ run, trigger: chunk.trigger, isDryRun },
      onTaken: () => this.#changed.notifyAll(),
    });
    const job = { resourceKey, resourceType: resource, run, attempt, session, signal, comparison };
    attempt.jobs.set(resourceKey, job);
    this.#queue.push(job);
    this.#changed.notifyAll();
    return job;
  }

  /**
   * Bounds the bytes of waiting chunks over all resource types: inventories can arrive faster than the API
   * server answers lists.
   */
  #offer({ attempt, comparison }: Job, chunk: PackedChunk): void {
    const waiting = waitingBytes(attempt);
    if (waiting > 0 && waiting + chunk.bytes > this.#options.limits.maxInventoryBytes) {
      throw new ComparisonError("Overflow", "inventories arrived faster than the agent could compare them");
    }
    comparison.offer(chunk);
  }

  async #runJob(stop: AbortSignal, job: Job): Promise<void> {
    const { resourceKey, resourceType, run, attempt, session, signal, comparison } = job;
    const { log, failures, counters, clock, limits } = this.#options;
    const work = { activity: "read", resourceType: resourceKey } as const;
    const firstSequence = session.nextSequence;
    const either = AbortSignal.any([stop, signal]);
    this.#running.add(job);
    this.#slots.add(job);
    using slot = clock.deadline(either, limits.comparisonSlotMs);
    slot.signal.addEventListener("abort", () => this.#freeSlot(job));
    try {
      const end = await comparison.run(either);
      attempt.summary.add(end);
      counters.comparisonsSucceeded++;
      failures.worked(work);
      const { listed, equal, put, deleted } = end;
      const { runId } = run;
      log.debug("resource type compared", { resourceType: resourceKey, runId, listed, equal, put, deleted });
    } catch (error) {
      stop.throwIfAborted();
      if (!signal.aborted) {
        counters.comparisonsFailed++;
        failures.failed(work, error);
        const end = failed(session, resourceType, firstSequence, error);
        session.sendEnd(run, end);
        attempt.summary.add(end);
      }
      if (error instanceof ClusterChangedError) {
        throw error;
      }
    } finally {
      attempt.jobs.set(resourceKey, "done");
      this.#running.delete(job);
      this.#freeSlot(job);
      this.#releaseLastEnds(attempt);
    }
  }

  /** Ends the wait of ends for others once all resource types have ended, so that the run ends without delay. */
  #releaseLastEnds({ jobs, session }: Attempt): void {
    if (this.#options.resourceKeys().every((key) => jobs.get(key) === "done")) {
      session.releaseEnds();
    }
  }

  #freeSlot(job: Job): void {
    this.#slots.delete(job);
    this.#changed.notifyAll();
  }
}

function openJobs(jobs: Attempt["jobs"]): Job[] {
  return [...jobs.values()].filter((job) => job !== "done");
}

/** Returns the bytes of the chunks of an attempt that wait to be compared. */
function waitingBytes({ jobs }: Attempt): number {
  return openJobs(jobs).reduce((sum, { comparison }) => sum + comparison.waitingBytes, 0);
}

function failed(
  session: UplinkSession,
  resourceType: ResourceType,
  firstSequence: bigint,
  error: unknown,
): ResourceReconciled {
  const { scopeGeneration } = session;
  return create(ResourceReconciledSchema, {
    resourceType,
    firstSequence,
    scopeGeneration,
    failure: toComparisonFailure(error),
  });
}
