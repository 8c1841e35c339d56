import { create } from "@bufbuild/protobuf";
import { type Batch, BatchSchema, BatchType } from "../../../gen/proto/evenkeel/v1/batch_pb.ts";
import type { ResourceReconciled } from "../../../gen/proto/evenkeel/v1/reconciliation_pb.ts";
import { type ResourceScope, ScopeDeclaredSchema } from "../../../gen/proto/evenkeel/v1/scope_pb.ts";
import { type SyncRequest, SyncRequestSchema } from "../../../gen/proto/evenkeel/v1/sync_service_pb.ts";
import { resourceTypeKey } from "../../domain/resource-type.ts";
import { RetryableError } from "../../lib/errors.ts";
import type { BatchLimits } from "../config.ts";
import { sizeOfItem } from "./batch-items.ts";
import type { Change } from "./change.ts";
import { LiveSegment } from "./live-segment.ts";

/** A message that has its place in the order, and gets its number when it is taken. */
interface MarkerSegment {
  readonly type: "marker";
  readonly message: SyncRequest["message"];
  readonly bytes: number;
  readonly traceParent: string;
}

interface Numbered {
  readonly request: SyncRequest;
  readonly bytes: number;
}

/** What the agent reads. */
export interface DeclaredScope {
  readonly resources: readonly ResourceScope[];
  /** Namespaces to read, for every namespaced resource type; empty: all. */
  readonly namespaces: readonly string[];
}

/** Bytes of a message without items, rounded up. */
const MARKER_BYTES = 256;

/**
 * What the agent has to say to the backend, in order: a pure state machine without time or input and output.
 *
 * Pending are segments. Live changes go into the segment at the end, where only the newest change of each
 * object is kept. A marker (a scope, a batch that answers a run, the end of a kind's comparison) closes it.
 * {@link next} numbers what is first.
 *
 * Invariants, each held by the property test:
 *  U1. In a session numbers are 1, 2, 3, ... without gaps, and number 1 is ScopeDeclared of generation 1.
 *  U2. A numbered message never changes.
 *  U3. Nothing passes a marker: what was offered before it is numbered before it, unless a newer change of the
 *      same object, offered before it too, stands for it; what was offered after it is numbered after it.
 *  U4. Every change offered is sent, or a newer one of the same object is, in the same session or a later one.
 *  U5. What is not acknowledged is sent again in the next session, before anything else but the scope, and in
 *      its order; but for scopes (the newest is declared first) and what answers a run (the new session
 *      supersedes the run).
 *  U6. A batch is of one kind, version and incarnation, has at most `maxItems` items, and at most `maxBytes`
 *      unless it has one item.
 *  U7. Nothing is numbered that would make more than `maxUnacknowledgedBytes` unacknowledged, unless nothing is.
 *  U8. A change of a kind that the scope of the session does not have is dropped with the kind, not sent.
 */
export class UplinkState {
  readonly #batchLimits: BatchLimits;
  #segments: (LiveSegment | MarkerSegment)[] = [];
  #unacknowledged: Numbered[] = [];
  #unacknowledgedBytes = 0;
  #pendingBytes = 0;
  #maxUnacknowledgedBytes = 0;
  #nextSequence = 1n;
  #generation = 0n;
  #scope: DeclaredScope | undefined;

  constructor(batchLimits: BatchLimits) {
    this.#batchLimits = batchLimits;
  }

  /** Bytes that wait for their numbers. */
  get pendingBytes(): number {
    return this.#pendingBytes;
  }

  /** Bytes that have numbers and no acknowledgement. */
  get unacknowledgedBytes(): number {
    return this.#unacknowledgedBytes;
  }

  /** Number that the next message gets: whatever is offered from now on has it, or a higher one. */
  get nextSequence(): bigint {
    return this.#nextSequence;
  }

  /** Generation of the scope declared last, in this session. */
  get scopeGeneration(): bigint {
    return this.#generation;
  }

  /** Whether all that was offered is acknowledged. */
  get isDrained(): boolean {
    return this.#unacknowledged.length === 0 && this.#segments.length === 0;
  }

  /** Takes a live change. */
  offer(change: Change): void {
    const last = this.#segments.at(-1);
    const segment = last?.type === "live" ? last : new LiveSegment();
    if (segment !== last) {
      this.#segments.push(segment);
    }
    const before = segment.bytes;
    segment.add(change);
    this.#pendingBytes += segment.bytes - before;
  }

  /** Takes a batch that answers a run. */
  offerRunBatch(batch: Batch): void {
    const bytes = batch.items.reduce((sum, item) => sum + sizeOfItem(item), MARKER_BYTES);
    this.#push({ case: "batch", value: batch }, bytes);
  }

  /** Takes the end of a kind's comparison. */
  offerReconciled(message: ResourceReconciled): void {
    this.#push({ case: "resourceReconciled", value: message }, MARKER_BYTES);
  }

  /**
   * Declares what is read from now on: at once in this session, if one is open, and first in each later one.
   */
  declareScope(scope: DeclaredScope): void {
    this.#scope = scope;
    if (this.#generation > 0n || this.#maxUnacknowledgedBytes > 0) {
      this.#pushScope(scope);
    }
  }

  /** Starts a session: numbers begin again, and what was not acknowledged is offered anew. */
  openSession(limits: { readonly maxUnacknowledgedBytes: number }): void {
    const again = this.#unacknowledged.map(
      ({ request: { message, traceParent }, bytes }): MarkerSegment => ({
        type: "marker",
        message,
        bytes,
        traceParent,
      }),
    );
    const pending = [...again, ...this.#segments].filter(
      (segment) => segment.type === "live" || !endsWithSession(segment),
    );
    this.#segments = [];
    this.#unacknowledged = [];
    this.#unacknowledgedBytes = 0;
    this.#pendingBytes = 0;
    this.#maxUnacknowledgedBytes = limits.maxUnacknowledgedBytes;
    this.#nextSequence = 1n;
    this.#generation = 0n;
    const scope = this.#scope;
    if (scope !== undefined) {
      this.#pushScope(scope);
      const declared = scope.resources.map(({ resourceType }) => resourceTypeKey(resourceType));
      this.#resume(pending, new Set(declared));
    }
  }

  /**
   * Numbers the next message; undefined when there is none, or none may be sent before an acknowledgement.
   */
  next(): SyncRequest | undefined {
    const segment = this.#segments[0];
    if (segment === undefined || this.#generation === 0n) {
      return undefined;
    }
    if (segment.type === "marker") {
      return segment.bytes > this.#room ? undefined : this.#number(segment, true);
    }
    const cut = segment.takeBatch(this.#batchLimits, this.#room);
    if (cut === undefined) {
      return undefined;
    }
    const { resourceType, incarnation } = cut.first;
    const batch = create(BatchSchema, {
      resourceType,
      type: BatchType.DEFAULT,
      items: cut.items,
      ...(incarnation === undefined ? {} : { incarnation }),
    });
    return this.#number({ ...cut, message: { case: "batch", value: batch } }, segment.isEmpty);
  }

  /**
   * Takes an acknowledgement of everything up to `sequence`. Throws `RetryableError` for a number that was
   * never given.
   */
  acknowledge(sequence: bigint): void {
    if (sequence >= this.#nextSequence) {
      throw new RetryableError(
        `acknowledgement of ${sequence}, but the last number is ${this.#nextSequence - 1n}`,
      );
    }
    const left = this.#unacknowledged.findIndex(({ request }) => request.sequence > sequence);
    const acknowledged = this.#unacknowledged.splice(0, left < 0 ? this.#unacknowledged.length : left);
    this.#unacknowledgedBytes -= acknowledged.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /**
   * Bytes that may be numbered now; without limit when nothing is unacknowledged, so that the largest object
   * gets through.
   */
  get #room(): number {
    return this.#unacknowledged.length === 0
      ? Number.POSITIVE_INFINITY
      : this.#maxUnacknowledgedBytes - this.#unacknowledgedBytes;
  }

  #number({ message, bytes, traceParent }: Omit<MarkerSegment, "type">, endsSegment: boolean): SyncRequest {
    if (endsSegment) {
      this.#segments.shift();
    }
    const request = create(SyncRequestSchema, { sequence: this.#nextSequence, message, traceParent });
    this.#nextSequence++;
    this.#pendingBytes -= bytes;
    this.#unacknowledgedBytes += bytes;
    this.#unacknowledged.push({ request, bytes });
    return request;
  }

  #push(message: SyncRequest["message"], bytes: number): void {
    this.#segments.push({ type: "marker", message, bytes, traceParent: "" });
    this.#pendingBytes += bytes;
  }

  #pushScope({ resources, namespaces }: DeclaredScope): void {
    this.#generation++;
    const scope = create(ScopeDeclaredSchema, {
      generation: this.#generation,
      resources: [...resources],
      namespaces: [...namespaces],
    });
    const names = namespaces.reduce((sum, name) => sum + name.length, 0);
    this.#push({ case: "scopeDeclared", value: scope }, MARKER_BYTES * (resources.length + 1) + names);
  }

  /** Puts back what the last session left, without what is about kinds that are out of scope. */
  #resume(pending: readonly (LiveSegment | MarkerSegment)[], resourceKeys: ReadonlySet<string>): void {
    for (const segment of pending) {
      if (segment.type === "live") {
        segment.retain((resourceKey) => resourceKeys.has(resourceKey));
      }
      if (segment.type === "live" ? !segment.isEmpty : resourceKeys.has(resourceTypeOfBatch(segment))) {
        this.#segments.push(segment);
        this.#pendingBytes += segment.bytes;
      }
    }
  }
}

/** Whether a message loses its meaning with its session. */
function endsWithSession({ message }: MarkerSegment): boolean {
  return message.case !== "batch" || message.value.run !== undefined;
}

function resourceTypeOfBatch({ message }: MarkerSegment): string {
  return message.case === "batch" ? resourceTypeKey(message.value.resourceType) : "";
}
