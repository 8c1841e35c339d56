import type { BatchItem } from "../../../gen/proto/evenkeel/v1/batch_pb.ts";
import type { ResourceType } from "../../../gen/proto/evenkeel/v1/resource_pb.ts";
import { keyOfItem, ownObservedVersionOf } from "../../domain/observations.ts";
import { resourceTypeKey } from "../../domain/resource-type.ts";
import { parseResourceVersion } from "../../domain/resource-version.ts";
import type { BatchLimits } from "../config.ts";
import { sizeOfItem } from "./batch-items.ts";

/** One observation for the backend: a PutObject or DeleteObject with its observed version. */
export interface Change {
  readonly resourceType: ResourceType;
  /** Incarnation of the resource type at the observation; undefined before the agent knows it. */
  readonly incarnation: bigint | undefined;
  readonly item: BatchItem;
  /** W3C trace context of the watch event; empty if it is not traced. */
  readonly traceParent: string;
}

/** Receiver of observations. */
export interface ChangeSink {
  /**
   * Calls `add`, which offers a change, when few bytes are pending; until then the watch pauses. Those that wait add
   * one after the other, while there is room. Rejects without the call if `signal` has aborted.
   */
  whenRoom(signal: AbortSignal, add: () => void): Promise<void>;
  /** Adds a change. The caller notes what it has sent in the same turn. */
  offer(change: Change): void;
  /**
   * Drops the puts of a resource type whose reflector has ended, because nothing reports the deletion of their objects.
   * The session ends if some are on their way.
   */
  dropPuts(resourceKey: string): void;
}

/** Changes of one resource type and one incarnation, ready to become a batch. */
export interface PendingBatch {
  readonly first: Change;
  readonly items: BatchItem[];
  readonly bytes: number;
  /** Trace context of the batch, which can have only one: that of its first recorded change. */
  readonly traceParent: string;
}

/**
 * Live changes between two markers. Of each object it keeps the newest change, at the place of the oldest
 * one, so that an object that changes all the time is still sent. Resource types take turns.
 */
export class LiveSegment {
  readonly type = "live";
  readonly resources = new Map<string, Map<string, Change>>();
  #bytes = 0;

  get bytes(): number {
    return this.#bytes;
  }

  get isEmpty(): boolean {
    return this.resources.size === 0;
  }

  add(change: Change): void {
    const resourceKey = resourceTypeKey(change.resourceType);
    const changes = this.resources.get(resourceKey) ?? new Map<string, Change>();
    const key = keyOfItem(change.item);
    const present = changes.get(key);
    if (present !== undefined && isOlder(change, present)) {
      return;
    }
    this.resources.set(resourceKey, changes.set(key, change));
    this.#bytes += sizeOfItem(change.item) - (present === undefined ? 0 : sizeOfItem(present.item));
  }

  /**
   * Removes and returns the next batch of the resource type whose turn it is, as many changes as fit. Returns
   * undefined if there are none, or the first one is larger than `room`.
   */
  takeBatch({ maxItems, maxBytes }: BatchLimits, room: number): PendingBatch | undefined {
    for (const [resourceKey, changes] of this.resources) {
      const [first] = changes.values();
      if (first === undefined || sizeOfItem(first.item) > room) {
        return undefined;
      }
      const items: BatchItem[] = [];
      let bytes = 0;
      let traceParent = "";
      for (const [key, change] of changes) {
        const size = sizeOfItem(change.item);
        if (items.length === maxItems || (items.length > 0 && bytes + size > Math.min(maxBytes, room))) {
          break;
        }
        // A batch has one incarnation and one version of the resource type.
        if (
          change.incarnation === first.incarnation &&
          change.resourceType.version === first.resourceType.version
        ) {
          items.push(change.item);
          traceParent ||= isRecorded(change) ? change.traceParent : "";
          bytes += size;
          changes.delete(key);
        }
      }
      this.resources.delete(resourceKey);
      if (changes.size > 0) {
        this.resources.set(resourceKey, changes);
      }
      this.#bytes -= bytes;
      return { first, items, bytes, traceParent: traceParent || first.traceParent };
    }
    return undefined;
  }

  /** Drops the puts of a resource type. */
  dropPuts(resourceKey: string): void {
    const changes = this.resources.get(resourceKey) ?? new Map<string, Change>();
    for (const [key, { item }] of changes) {
      if (item.message.case === "putObject") {
        changes.delete(key);
        this.#bytes -= sizeOfItem(item);
      }
    }
    if (changes.size === 0) {
      this.resources.delete(resourceKey);
    }
  }

  /** Drops the changes of resource types that are not wanted. */
  retain(isWanted: (resourceKey: string) => boolean): void {
    for (const [resourceKey, changes] of this.resources) {
      if (!isWanted(resourceKey)) {
        this.resources.delete(resourceKey);
        this.#bytes -= changes.values().reduce((sum, { item }) => sum + sizeOfItem(item), 0);
      }
    }
  }
}

/** True if the trace context has the flag "sampled". */
function isRecorded({ traceParent }: Change): boolean {
  return traceParent.endsWith("1");
}

/** True if a change was observed before another one of the same object, although it arrived later. */
function isOlder(change: Change, present: Change): boolean {
  const [incarnation, presentIncarnation] = [change.incarnation ?? 0n, present.incarnation ?? 0n];
  if (incarnation !== presentIncarnation) {
    return incarnation < presentIncarnation;
  }
  const version = parseResourceVersion(ownObservedVersionOf(change.item));
  const presentVersion = parseResourceVersion(ownObservedVersionOf(present.item));
  return version !== undefined && presentVersion !== undefined && version < presentVersion;
}
