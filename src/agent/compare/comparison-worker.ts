import { create } from "@bufbuild/protobuf";
import type { Batch, InventoryChunk, RunRef } from "../../../gen/proto/evenkeel/v1/batch_pb.ts";
import {
  type ResourceReconciled,
  ResourceReconciledSchema,
} from "../../../gen/proto/evenkeel/v1/reconciliation_pb.ts";
import type { ResourceType } from "../../../gen/proto/evenkeel/v1/resource_pb.ts";
import { resourceTypeKey } from "../../domain/resource-type.ts";
import { ClusterChangedError } from "../../kube/cluster-uid.ts";
import { Condition } from "../../lib/condition.ts";
import type { Log } from "../../lib/log.ts";
import type { AgentCounters } from "../metrics.ts";
import type { UplinkSession } from "../uplink/session.ts";
import type { Reflector } from "../watch/reflector.ts";
import { Comparison } from "./comparison.ts";
import { ComparisonError, toComparisonFailure } from "./comparison-error.ts";
import { type PackedChunk, packInventory } from "./inventory-chunk.ts";

/** How to create a {@link ComparisonWorker}. */
export interface ComparisonWorkerOptions {
  readonly log: Log;
  readonly counters: AgentCounters;
  /** Bytes of inventories that may wait to be compared. */
  readonly maxInventoryBytes: number;
  /** The reflector of a kind that is read, by its key. */
  readonly reflectorOf: (resourceKey: string) => Reflector | undefined;
}

/** What the end of a comparison names. */
interface ComparisonEnd {
  readonly run: RunRef;
  readonly resourceType: ResourceType;
}

/** A comparison that waits for its turn, or has it. */
interface Job {
  readonly resourceKey: string;
  readonly end: ComparisonEnd;
  readonly attempt: Attempt;
  readonly session: UplinkSession;
  /** Aborts when the session ends, and when another run or attempt takes its place. */
  readonly signal: AbortSignal;
  readonly comparison: Comparison;
}

/** An attempt at a run, in one session. */
interface Attempt {
  readonly runId: string;
  readonly attempt: number;
  readonly session: UplinkSession;
  readonly replaced: AbortController;
  /** By kind; "done" once its comparison has ended: what comes late is ignored. */
  readonly jobs: Map<string, Job | "done">;
}

/**
 * Answers runs: sorts the parts of inventories by kind, and compares one kind after the other.
 *
 * A higher attempt replaces all of a lower one, another run the one before, and a new session all. What comes
 * late of one that was replaced is ignored.
 */
export class ComparisonWorker {
  readonly #options: ComparisonWorkerOptions;
  readonly #queue: Job[] = [];
  readonly #work = new Condition();
  /** Runs of the present session that others took the place of. */
  readonly #replacedRuns = new Set<string>();
  #current: Attempt | undefined;

  constructor(options: ComparisonWorkerOptions) {
    this.#options = options;
  }

  /** Takes a batch of type RECONCILIATION. Does not wait. */
  compare(session: UplinkSession, batch: Batch): void {
    const { chunk, resourceType: resource } = batch;
    const run = chunk?.run;
    if (chunk === undefined || run === undefined || resource === undefined) {
      this.#options.log.error("reconciliation batch ignored: it has no resource type, chunk or run");
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
      job.comparison.fail(error instanceof Error ? error : new Error(String(error)));
    }
  }

  /** Fails the comparison that a batch belongs to, because the batch could not be taken. Does not wait. */
  refuse(session: UplinkSession, batch: Batch, error: unknown): void {
    const { chunk, resourceType } = batch;
    const run = chunk?.run;
    this.#options.log.error("a batch of the backend is refused", { error });
    if (run !== undefined && resourceType !== undefined && !session.signal.aborted) {
      session.sendReconciled(failed(session, { run, resourceType }, session.nextSequence, error));
    }
  }

  /** Compares until `signal` aborts; rejects with `ClusterChangedError` alone. */
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
    current?.replaced.abort(new ComparisonError("Replaced", "another attempt took its place"));
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
        new ComparisonError("NotInScope", `${resourceKey} is not read by this agent`),
      );
      return "done";
    }
    const signal = AbortSignal.any([session.signal, attempt.replaced.signal]);
    const comparison = new Comparison(reflector, session, { run, trigger: chunk.trigger });
    const end = { run, resourceType: resource };
    const job = { resourceKey, end, attempt, session, signal, comparison };
    attempt.jobs.set(resourceKey, job);
    this.#queue.push(job);
    this.#work.notifyAll();
    return job;
  }

  /** What waits to be compared is bounded over all kinds: the backend sends inventories faster than lists come. */
  #offer({ attempt, comparison }: Job, chunk: PackedChunk): void {
    const jobs = [...attempt.jobs.values()].filter((job) => job !== "done");
    const waiting = jobs.reduce((sum, job) => sum + job.comparison.waitingBytes, 0);
    if (waiting > 0 && waiting + chunk.bytes > this.#options.maxInventoryBytes) {
      throw new ComparisonError("Overflow", "inventories came faster than they could be compared");
    }
    comparison.offer(chunk);
  }

  async #runJob(
    stop: AbortSignal,
    { resourceKey, end, attempt, session, signal, comparison }: Job,
  ): Promise<void> {
    const { log, counters } = this.#options;
    const firstSequence = session.nextSequence;
    const either = AbortSignal.any([stop, signal]);
    try {
      const reconciled = await comparison.run(either);
      either.throwIfAborted();
      session.sendReconciled(reconciled);
      counters.comparisonsSucceeded++;
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
        log.warn("comparison failed", { resourceType: resourceKey, runId: end.run.runId, error });
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
