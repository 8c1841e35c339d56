import type { BatchItem } from "../../../gen/proto/evenkeel/v1/batch_pb.ts";
import type { DeleteReason } from "../../../gen/proto/evenkeel/v1/object_pb.ts";
import { formatKey, type ObjectKey } from "../../domain/object-key.ts";
import { resourceTypeKey } from "../../domain/resource-type.ts";
import { parseResourceVersion } from "../../domain/resource-version.ts";
import { objectKeyOf } from "../../kube/kube-object.ts";
import { reportQuarantined } from "../object-content.ts";
import { createPut, type ObservedState } from "../observed-put.ts";
import { carriedIdentity, escapeKey, findKeyProblem } from "../representation.ts";
import type { ResourceContext } from "../resource-context.ts";
import { deleteItem } from "../uplink/batch-items.ts";
import type { ChangeSink } from "../uplink/live-segment.ts";
import { DeletionLog } from "./deletion-log.ts";
import type { PackedIndex } from "./object-index.ts";

/**
 * Sends observations of one resource type, and keeps the index equal to the sent state.
 *
 * An observation older than the index is skipped: it is an old event, delivered after a list or a read has
 * already shown its result. The index and the logs change in the turn in which the sink accepts the change: an
 * unsent change is detected again, and what else the caller sends stands in the order of the sink.
 */
export class IndexWriter {
  readonly index: PackedIndex;
  readonly #context: ResourceContext;
  readonly #sink: ChangeSink;
  readonly #deletionLogs = new Set<DeletionLog>();
  #hasSkipped = false;

  constructor(context: ResourceContext, index: PackedIndex, sink: ChangeSink) {
    this.#context = context;
    this.index = index;
    this.#sink = sink;
  }

  /** Opens a log of the Deletes that are sent from now on, until it is closed. */
  openDeletionLog(): DeletionLog {
    const log = new DeletionLog();
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
    const since = this.#context.clock.now();
    await this.#sink.whenRoom(signal, () => {
      if (this.#knowsNewer(key, parseResourceVersion(resourceVersion) ?? observed)) {
        return;
      }
      const { item, content } = createPut(state, contentFormat, String(observed));
      reportQuarantined(this.#context, key, content);
      this.#offer(item, since);
      this.index.set(key, { uid, resourceVersion, checksum: content.checksum });
    });
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
    if (!this.canHold(key)) {
      return;
    }
    const text = formatKey(key);
    const since = this.#context.clock.now();
    await this.#sink.whenRoom(signal, () => {
      if (this.#knowsNewer(text, observed)) {
        return;
      }
      this.#offer(deleteItem(key, uid, String(observed), reason, missing), since);
      this.index.delete(text);
      const deletion = { uid: carriedIdentity({ uid }).uid, observed, reason };
      for (const log of this.#deletionLogs) {
        log.record(text, deletion);
      }
    });
  }

  #knowsNewer(key: string, version: bigint): boolean {
    const known = this.index.get(key);
    return known !== undefined && (parseResourceVersion(known.resourceVersion) ?? 0n) > version;
  }

  /** Sends an observation that was made at `startTime`. */
  #offer(item: BatchItem, startTime: Date): void {
    const { resourceType, versions, tracer } = this.#context;
    const attributes = { resourceType: resourceTypeKey(resourceType) };
    const span = tracer.start("observe", { startTime, attributes });
    const { incarnation } = versions;
    this.#sink.offer({ resourceType, incarnation, item, traceParent: span.traceParent });
    span.end();
  }
}
