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
import { Condition } from "../../lib/condition.ts";
import { toError, toMessage } from "../../lib/errors.ts";
import type { Log } from "../../lib/log.ts";
import type { FailureReports } from "../failure-log.ts";
import type { AgentCounters } from "../metrics.ts";
import type { UplinkSession } from "../uplink/session.ts";
import type { Reflector } from "../watch/reflector.ts";
import { Comparison } from "./comparison.ts";
import { ComparisonError, toComparisonFailure } from "./difference-reader.ts";
import { type PackedChunk, packInventory } from "./inventory-chunk.ts";

export interface ComparisonWorkerOptions {
  readonly log: Log;
  readonly failures: FailureReports;
  readonly counters: AgentCounters;
  /** Bytes of inventories that may wait to be compared. */
  readonly maxInventoryBytes: number;
  /** Returns the reflector of a resource type in the scope. */
  readonly reflectorOf: (resourceKey: string) => Reflector | undefined;
}

/** Run and resource type of a comparison. */
interface ComparisonEnd {
  readonly run: RunRef;
  readonly resourceType: ResourceType;
}

/** A queued or running comparison. */
interface Job {
  readonly resourceKey: string;
  readonly end: ComparisonEnd;
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
}

/**
 * Answers runs: assigns the chunks of inventories to comparisons, and runs one comparison at a time.
 *
 * A higher attempt replaces a lower one, another run replaces the previous run, and a new session replaces
 * all of them. Late chunks of a replaced attempt are ignored.
 */
export class ComparisonWorker {
  readonly #options: ComparisonWorkerOptions;
  readonly #queue: Job[] = [];
  readonly #work = new Condition();
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
      session.sendReconciled(failed(session, { run, resourceType }, session.nextSequence, error));
    }
  }

  /**
   * Compares until `signal` aborts.
   *
   * @throws ClusterChangedError when the API server belongs to another cluster; other errors fail one
   * comparison.
   */
  async run(signal: AbortSignal): Promise<void> {
    for (;;) {
      const job = this.#queue.shift();
      if (job === undefined) {
        await this.#work.wait(signal);
      } else if (!job.signal.aborted) {
        await this.#runJob(signal, job);
      }
    }
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
    this.#current = { runId, attempt, session, replaced: new AbortController(), jobs: new Map() };
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
    const comparison = new Comparison(reflector, session, { run, trigger: chunk.trigger, isDryRun });
    const end = { run, resourceType: resource };
    const job = { resourceKey, end, attempt, session, signal, comparison };
    attempt.jobs.set(resourceKey, job);
    this.#queue.push(job);
    this.#work.notifyAll();
    return job;
  }

  /**
   * Bounds the bytes of waiting chunks over all resource types: inventories can arrive faster than the API
   * server answers lists.
   */
  #offer({ attempt, comparison }: Job, chunk: PackedChunk): void {
    const jobs = [...attempt.jobs.values()].filter((job) => job !== "done");
    const waiting = jobs.reduce((sum, job) => sum + job.comparison.waitingBytes, 0);
    if (waiting > 0 && waiting + chunk.bytes > this.#options.maxInventoryBytes) {
      throw new ComparisonError("Overflow", "inventories arrived faster than the agent could compare them");
    }
    comparison.offer(chunk);
  }

  async #runJob(
    stop: AbortSignal,
    { resourceKey, end, attempt, session, signal, comparison }: Job,
  ): Promise<void> {
    const { log, failures, counters } = this.#options;
    const work = { activity: "read", resourceType: resourceKey } as const;
    const firstSequence = session.nextSequence;
    const either = AbortSignal.any([stop, signal]);
    try {
      const reconciled = await comparison.run(either);
      either.throwIfAborted();
      session.sendReconciled(reconciled);
      counters.comparisonsSucceeded++;
      failures.worked(work);
      const { listed, equal, put, deleted } = reconciled;
      log.info("resource type compared", {
        resourceType: resourceKey,
        runId: end.run.runId,
        listed,
        equal,
        put,
        deleted,
      });
    } catch (error) {
      stop.throwIfAborted();
      if (!signal.aborted) {
        counters.comparisonsFailed++;
        failures.failed(work, error);
        session.sendReconciled(failed(session, end, firstSequence, error));
      }
      if (error instanceof ClusterChangedError) {
        throw error;
      }
    } finally {
      attempt.jobs.set(resourceKey, "done");
    }
  }
}

function failed(
  session: UplinkSession,
  end: ComparisonEnd,
  firstSequence: bigint,
  error: unknown,
): ResourceReconciled {
  const { scopeGeneration } = session;
  return create(ResourceReconciledSchema, {
    ...end,
    firstSequence,
    scopeGeneration,
    failure: toComparisonFailure(error),
  });
}
