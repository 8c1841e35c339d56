import type { BatchItem } from "../../../gen/proto/evenkeel/v1/batch_pb.ts";
import type { DeleteReason } from "../../../gen/proto/evenkeel/v1/object_pb.ts";
import { formatKey, type ObjectKey } from "../../domain/object-key.ts";
import { resourceTypeKey } from "../../domain/resource-type.ts";
import { maxVersion, parseResourceVersion } from "../../domain/resource-version.ts";
import { objectKeyOf } from "../../kube/kube-object.ts";
import { reportQuarantined } from "../object-content.ts";
import { createPut, type ObservedState } from "../observed-put.ts";
import { carriedIdentity, escapeKey, findKeyProblem } from "../representation.ts";
import type { ResourceContext } from "../resource-context.ts";
import { deleteItem } from "../uplink/batch-items.ts";
import type { ChangeSink } from "../uplink/live-segment.ts";
import type { PackedIndex } from "./object-index.ts";
import type { PackedObject } from "./packed-records.ts";

/** State of an object that was sent. */
export type SentObject = Pick<PackedObject, "uid" | "resourceVersion">;

/** Highest observed version of the Deletes that were sent since the log was opened, by key. */
export type DeletionLog = Map<string, bigint>;

/**
 * Sends observations of one resource type, and keeps the index equal to the sent state.
 *
 * An observation older than the index is skipped: it is an old event, delivered after a list or a read has
 * already shown its result. The index changes only after the sink has accepted the change, so an unsent
 * change is detected again.
 */
export class IndexWriter {
  readonly index: PackedIndex;
  readonly #context: ResourceContext;
  readonly #sink: ChangeSink;
  readonly #deletionLogs = new Set<DeletionLog>();
  /** States that the sink may have accepted, and that the index does not have yet. */
  readonly #sending = new Map<string, SentObject>();
  #hasSkipped = false;

  constructor(context: ResourceContext, index: PackedIndex, sink: ChangeSink) {
    this.#context = context;
    this.index = index;
    this.#sink = sink;
  }

  /** Opens a log of the Deletes that are sent from now on, until it is closed. */
  openDeletionLog(): DeletionLog {
    const log: DeletionLog = new Map();
    this.#deletionLogs.add(log);
    return log;
  }

  closeDeletionLog(log: DeletionLog): void {
    this.#deletionLogs.delete(log);
  }

  /** True if a row can have the key. Otherwise counts the observation, and logs the first of the process. */
  canHold(key: ObjectKey): boolean {
    const problem = findKeyProblem(key);
    if (problem === undefined) {
      return true;
    }
    const { log, counters, resourceType } = this.#context;
    counters.unrepresentable++;
    if (!this.#hasSkipped) {
      this.#hasSkipped = true;
      log.error("objects skipped, because no row can have their keys", {
        resourceType: resourceTypeKey(resourceType),
        first: escapeKey(key),
        problem,
      });
    }
    return false;
  }

  /** Sends the observation "the object was this" at version `observed`. */
  async put(
    signal: AbortSignal,
    state: ObservedState,
    contentFormat: string,
    observed: bigint,
  ): Promise<void> {
    const objectKey = objectKeyOf(state.object);
    const { uid, resourceVersion } = carriedIdentity(state.object.metadata);
    if (!this.canHold(objectKey)) {
      return;
    }
    const key = formatKey(objectKey);
    if (this.#knowsNewer(key, parseResourceVersion(resourceVersion) ?? observed)) {
      return;
    }
    const { item, content } = createPut(state, contentFormat, String(observed));
    reportQuarantined(this.#context, key, content);
    this.#sending.set(key, { uid, resourceVersion });
    try {
      await this.#send(signal, item);
      this.index.set(key, { uid, resourceVersion, checksum: content.checksum });
    } finally {
      this.#sending.delete(key);
    }
  }

  /** Yields the keys of the index, and those on their way to it, in no order. */
  *sentKeys(): Generator<string, void, undefined> {
    yield* this.index.keys();
    for (const key of this.#sending.keys()) {
      if (!this.index.has(key)) {
        yield key;
      }
    }
  }

  /** Returns the last state of an object that the sink has accepted, or may have. */
  sent(key: string): SentObject | undefined {
    return this.#sending.get(key) ?? this.index.get(key);
  }

  /** Sends the observation "the object was absent" at version `observed`; `missing` as `DeleteObject` defines it. */
  async delete(
    signal: AbortSignal,
    key: ObjectKey,
    uid: string,
    observed: bigint,
    reason: DeleteReason,
    missing = 0n,
  ): Promise<void> {
    const text = formatKey(key);
    if (this.canHold(key) && !this.#knowsNewer(text, observed)) {
      await this.#send(signal, deleteItem(key, uid, String(observed), reason, missing));
      this.index.delete(text);
      for (const log of this.#deletionLogs) {
        log.set(text, maxVersion(log.get(text) ?? 0n, observed));
      }
    }
  }

  #knowsNewer(key: string, version: bigint): boolean {
    const known = this.index.get(key);
    return known !== undefined && (parseResourceVersion(known.resourceVersion) ?? 0n) > version;
  }

  async #send(signal: AbortSignal, item: BatchItem): Promise<void> {
    const { resourceType, versions, tracer } = this.#context;
    const span = tracer.start("observe", { attributes: { resourceType: resourceTypeKey(resourceType) } });
    const { incarnation } = versions;
    await this.#sink.offer(signal, { resourceType, incarnation, item, traceParent: span.traceParent });
    span.end();
  }
}
