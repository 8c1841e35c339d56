import { create, toBinary } from "@bufbuild/protobuf";
import { type Batch, BatchSchema, BatchType, type RunRef } from "../../../gen/proto/evenkeel/v1/batch_pb.ts";
import { FailureSchema } from "../../../gen/proto/evenkeel/v1/failure_pb.ts";
import {
  type ResourceReconciled,
  ResourceReconciledSchema,
  ResourcesReconciledSchema,
} from "../../../gen/proto/evenkeel/v1/reconciliation_pb.ts";
import type { ResourceType } from "../../../gen/proto/evenkeel/v1/resource_pb.ts";
import {
  type RemovedResource,
  type ResourceScope,
  ScopeDeclaredSchema,
  type UndecidedGroup,
} from "../../../gen/proto/evenkeel/v1/scope_pb.ts";
import { type SyncRequest, SyncRequestSchema } from "../../../gen/proto/evenkeel/v1/sync_service_pb.ts";
import { keyOfItem } from "../../domain/observations.ts";
import { resourceTypeKey } from "../../domain/resource-type.ts";
import { type FieldViolation, RetryableError } from "../../lib/errors.ts";
import type { BatchLimits } from "../config.ts";
import { sizeOfItem } from "./batch-items.ts";
import { HeldEnds } from "./held-ends.ts";
import type { Change } from "./live-segment.ts";
import { LiveSegment } from "./live-segment.ts";
import {
  endsWithSession,
  hasLivePuts,
  MARKER_BYTES,
  type MarkerSegment,
  resourceTypeOfBatch,
  withoutPuts,
} from "./marker-segment.ts";
import { WithheldItems } from "./withheld-items.ts";

interface Numbered {
  readonly request: SyncRequest;
  readonly bytes: number;
  /** True if the next session must not send its puts again. */
  hasDroppedPuts: boolean;
}

/** Scope that the agent declares. */
export interface DeclaredScope {
  readonly resources: readonly ResourceScope[];
  /** Namespaces to read, for every namespaced resource type; empty: all. */
  readonly namespaces: readonly string[];
  /** Resource types that left the scope with this declaration. */
  readonly removed?: readonly RemovedResource[];
  /** Groups that did not answer discovery. */
  readonly undecided?: readonly UndecidedGroup[];
  /** Problems of the configuration, for people. */
  readonly warnings?: readonly string[];
}

/**
 * Messages without acknowledgement, beyond which less than a whole batch waits for others (as in Nagle's algorithm, RFC
 * 896). Each message is a transaction. While the backend is slow, changes become fewer and larger ones here, instead of
 * a queue of small ones there, so a backlog ends soon after its cause.
 */
const MAX_SMALL_MESSAGES = 4;

/** Messages that are sent one by one after a refusal that several messages may have caused. */
const CAREFUL_MESSAGES = 1_000;

/**
 * The messages for the backend, in order: a pure state machine without time, input or output.
 *
 * Pending messages are segments. A live change joins the segment at the end, which keeps only the newest
 * change of each object. A marker (a scope, a batch of repairs, the ends of comparisons) closes that segment.
 * {@link next} numbers the first pending message.
 *
 * The end of a comparison is held before it becomes part of a marker, so that others of its attempt share its message:
 * until {@link releaseEnds}, an end that does not fit, a scope, or a change of its resource type.
 *
 * Invariants, each checked by the property test:
 *  U1. In a session the sequences are 1, 2, 3, ... without gaps, and sequence 1 is ScopeDeclared of
 *      generation 1.
 *  U2. A numbered message never changes.
 *  U3. No message passes a marker. A change offered before a marker is numbered before it, unless a newer
 *      change of the same object, also offered before it, replaces it. A change offered after it is numbered
 *      after it. The end of a comparison is a marker to the changes of its resource type and to scopes.
 *  U4. Each offered change, or a newer one of the same object, is sent in the same session or a later one.
 *  U5. The next session sends unacknowledged messages again, in their order and before all others except the
 *      scope. Exceptions: scopes (the newest one is declared first) and answers to runs (the new session
 *      supersedes the run).
 *  U6. A batch has one resource type, version and incarnation, at most `maxItems` items, and at most
 *      `maxBytes` unless it has one item. A message of ends has one attempt of a run, each resource type once, at most
 *      `MAX_ENDS` ends, and at most `maxBytes` unless it has one end.
 *  U7. Unacknowledged bytes never exceed `maxUnacknowledgedBytes`, except through a message that is numbered
 *      while there are none. With four of them, less than `maxBytes` of pending messages wait.
 *  U8. A change of a resource type outside the session's scope is dropped with the resource type, not sent.
 *  U9. An item that the backend refused is withheld, as {@link WithheldItems} defines. A run that lost an item
 *      in this way ends with a failure.
 *  U10. When the reflector of a resource type ends, its pending puts are dropped, and those without acknowledgement
 *      are not sent again. This is an exception from U4 and U5.
 */
export class UplinkState {
  readonly #batchLimits: BatchLimits;
  #segments: (LiveSegment | MarkerSegment)[] = [];
  #heldEnds: HeldEnds | undefined;
  #unacknowledged: Numbered[] = [];
  #unacknowledgedBytes = 0;
  #pendingBytes = 0;
  #maxUnacknowledgedBytes = 0;
  #nextSequence = 1n;
  #generation = 0n;
  #scope: DeclaredScope | undefined;
  readonly #withheld = new WithheldItems();
  /** Comparisons of this session of which an item was skipped, as {@link comparisonOf} names them. */
  readonly #skippedIn = new Set<string>();
  /** Messages that are still sent one by one, to find the one that the backend refuses. */
  #careful = 0;

  constructor(batchLimits: BatchLimits) {
    this.#batchLimits = batchLimits;
  }

  /** Bytes of messages without sequence. */
  get pendingBytes(): number {
    return this.#pendingBytes + (this.#heldEnds?.bytes ?? 0);
  }

  /** Bytes of numbered messages without acknowledgement. */
  get unacknowledgedBytes(): number {
    return this.#unacknowledgedBytes;
  }

  /** Sequence of the next message. A message offered from now on gets it or a higher one. */
  get nextSequence(): bigint {
    return this.#nextSequence;
  }

  /** Generation of the latest scope declared in this session. */
  get scopeGeneration(): bigint {
    return this.#generation;
  }

  /** True if all offered messages are acknowledged. */
  get isDrained(): boolean {
    return this.#unacknowledged.length === 0 && this.#segments.length === 0 && !this.hasHeldEnds;
  }

  /** True if ends of comparisons wait for others. */
  get hasHeldEnds(): boolean {
    return this.#heldEnds !== undefined;
  }

  /** Adds a live change. */
  offer(change: Change): void {
    this.#releaseEndOf(change.resourceType);
    const last = this.#segments.at(-1);
    const segment = last?.type === "live" ? last : new LiveSegment();
    if (segment !== last) {
      this.#segments.push(segment);
    }
    const before = segment.bytes;
    segment.add(change);
    this.#pendingBytes += segment.bytes - before;
  }

  /**
   * Drops the puts of a resource type that are not sent yet. Those without acknowledgement are not sent again. Their
   * reflector has ended, so nothing reports the deletion of their objects. The next one sends those that exist.
   * Deletes stay: a newer put wins over them.
   *
   * Returns true if puts are without acknowledgement. Then the session must end: they are on their way, and no run of
   * this session may verify the resource type before they arrive.
   */
  dropPuts(resourceKey: string): boolean {
    this.#segments = this.#segments.flatMap((segment) => {
      const before = segment.bytes;
      if (segment.type === "live") {
        segment.dropPuts(resourceKey);
      }
      const isMarkerWithPuts = segment.type === "marker" && hasLivePuts(segment.message, resourceKey);
      const left = isMarkerWithPuts ? withoutPuts(segment) : segment;
      this.#pendingBytes -= before - (left?.bytes ?? 0);
      return left === undefined || (left.type === "live" && left.isEmpty) ? [] : [left];
    });
    const onTheirWay = this.#unacknowledged.filter(({ request: { message } }) =>
      hasLivePuts(message, resourceKey),
    );
    for (const numbered of onTheirWay) {
      numbered.hasDroppedPuts = true;
    }
    return onTheirWay.length > 0;
  }

  /** Adds a batch of repairs. */
  offerRunBatch(batch: Batch): void {
    this.#releaseEndOf(batch.resourceType);
    const bytes = batch.items.reduce((sum, item) => sum + sizeOfItem(item), MARKER_BYTES);
    this.#push({ case: "batch", value: batch }, bytes);
  }

  /** Adds the end of a comparison. It waits for others of its attempt. */
  offerEnd(run: RunRef, end: ResourceReconciled): void {
    if (this.#heldEnds?.accepts(run, end, this.#batchLimits.maxBytes) === false) {
      this.releaseEnds();
    }
    this.#heldEnds ??= new HeldEnds(run);
    this.#heldEnds.add(end);
  }

  /** Ends the wait of the ends: they are numbered behind all messages offered before. */
  releaseEnds(): void {
    const held = this.#heldEnds;
    if (held !== undefined) {
      this.#heldEnds = undefined;
      this.#push({ case: "resourcesReconciled", value: held.toMessage() }, held.bytes);
    }
  }

  /** Declares the scope: immediately if a session is open, and first in each later session. */
  declareScope(scope: DeclaredScope): void {
    this.#scope = scope;
    if (this.#generation > 0n || this.#maxUnacknowledgedBytes > 0) {
      this.#pushScope(scope);
    }
  }

  /** Starts a session: sequences restart at 1, and unacknowledged messages are pending again. */
  openSession(limits: { readonly maxUnacknowledgedBytes: number }): void {
    const again = this.#unacknowledged.flatMap(
      ({ request: { message, traceParent }, bytes, hasDroppedPuts }): MarkerSegment[] => {
        const segment: MarkerSegment = { type: "marker", message, bytes, traceParent };
        const left = hasDroppedPuts ? withoutPuts(segment) : segment;
        return left === undefined ? [] : [left];
      },
    );
    const pending = [...again, ...this.#segments].filter(
      (segment) => segment.type === "live" || !endsWithSession(segment),
    );
    this.#segments = [];
    this.#heldEnds = undefined;
    this.#unacknowledged = [];
    this.#unacknowledgedBytes = 0;
    this.#pendingBytes = 0;
    this.#maxUnacknowledgedBytes = limits.maxUnacknowledgedBytes;
    this.#nextSequence = 1n;
    this.#generation = 0n;
    this.#skippedIn.clear();
    const scope = this.#scope;
    if (scope !== undefined) {
      this.#pushScope(scope);
      const declared = scope.resources.map(({ resourceType }) => resourceTypeKey(resourceType));
      this.#resume(pending, new Set(declared));
    }
  }

  /**
   * Numbers and returns the next message. Returns undefined if there is none, or an acknowledgement must come
   * first.
   */
  next(): SyncRequest | undefined {
    for (;;) {
      const cut = this.#cut();
      if (cut === undefined) {
        return undefined;
      }
      const message = this.#withhold(cut.message);
      if (message !== undefined) {
        return this.#number({ ...cut, message });
      }
      this.#pendingBytes -= cut.bytes;
    }
  }

  /**
   * Withholds the items that the backend refused, for the next session. Returns the keys of the items. If
   * several messages may be meant, none is withheld, and the next messages are sent one by one.
   */
  refuse(violations: readonly FieldViolation[]): string[] {
    const refused = violations.flatMap(({ field, description }) => {
      const index = /^batch\.items\[(\d{1,6})\]/.exec(field)?.[1];
      return index === undefined ? [] : [{ index: Number(index), description }];
    });
    const meant = this.#unacknowledged.flatMap(({ request: { message } }) =>
      message.case === "batch" && refused.every(({ index }) => index < message.value.items.length)
        ? [message.value]
        : [],
    );
    const [batch] = meant;
    if (refused.length === 0 || batch === undefined || meant.length > 1) {
      this.#careful = refused.length === 0 ? this.#careful : CAREFUL_MESSAGES;
      return [];
    }
    this.#careful = 0;
    return refused.flatMap(({ index, description }) => {
      const item = batch.items[index];
      if (item === undefined) {
        return [];
      }
      this.#withheld.refuse(batch, item, description);
      return [`${resourceTypeKey(batch.resourceType)} ${keyOfItem(item)}`];
    });
  }

  /**
   * Removes the messages up to `sequence`.
   *
   * @throws RetryableError for a sequence that was not assigned.
   */
  acknowledge(sequence: bigint): void {
    if (sequence >= this.#nextSequence) {
      throw new RetryableError(
        `acknowledgement: expected a sequence of at most ${this.#nextSequence - 1n}, found ${sequence}`,
      );
    }
    const left = this.#unacknowledged.findIndex(({ request }) => request.sequence > sequence);
    const acknowledged = this.#unacknowledged.splice(0, left < 0 ? this.#unacknowledged.length : left);
    this.#unacknowledgedBytes -= acknowledged.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /**
   * Bytes that may be numbered now. Unbounded if there are no unacknowledged bytes, so that the largest
   * object can be sent.
   */
  get #room(): number {
    if (this.#unacknowledged.length === 0) {
      return Number.POSITIVE_INFINITY;
    }
    const isFull = this.#pendingBytes >= this.#batchLimits.maxBytes;
    const mayJoin = isFull || this.#unacknowledged.length < MAX_SMALL_MESSAGES;
    return mayJoin && this.#careful === 0 ? this.#maxUnacknowledgedBytes - this.#unacknowledgedBytes : -1;
  }

  /** Removes and returns the next message. */
  #cut(): Omit<MarkerSegment, "type"> | undefined {
    const segment = this.#segments[0];
    if (segment === undefined || this.#generation === 0n) {
      return undefined;
    }
    if (segment.type === "marker") {
      if (segment.bytes > this.#room) {
        return undefined;
      }
      this.#segments.shift();
      return segment;
    }
    const cut = segment.takeBatch(this.#batchLimits, this.#room);
    if (cut === undefined) {
      return undefined;
    }
    if (segment.isEmpty) {
      this.#segments.shift();
    }
    const { resourceType, incarnation } = cut.first;
    const value = create(BatchSchema, {
      resourceType,
      type: BatchType.DEFAULT,
      items: cut.items,
      ...(incarnation === undefined ? {} : { incarnation }),
    });
    return { ...cut, message: { case: "batch", value } };
  }

  /** Returns the message without what the backend refused; undefined if nothing is left of it. */
  #withhold(message: SyncRequest["message"]): SyncRequest["message"] | undefined {
    if (message.case === "batch") {
      const batch = this.#withheld.applyTo(message.value);
      if (batch.run !== undefined && batch.items.length < message.value.items.length) {
        this.#skippedIn.add(comparisonOf(batch.run, batch.resourceType));
      }
      const isEmptied = batch.items.length === 0 && message.value.items.length > 0;
      return isEmptied ? undefined : { case: "batch", value: batch };
    }
    if (message.case === "resourcesReconciled") {
      const { run, ends } = message.value;
      const value = create(ResourcesReconciledSchema, {
        ...message.value,
        ends: ends.map((end) =>
          end.failure === undefined && this.#skippedIn.has(comparisonOf(run, end.resourceType))
            ? toRefused(end)
            : end,
        ),
      });
      return { case: "resourcesReconciled", value };
    }
    return message;
  }

  #number({ message, bytes, traceParent }: Omit<MarkerSegment, "type">): SyncRequest {
    const request = create(SyncRequestSchema, { sequence: this.#nextSequence, message, traceParent });
    this.#nextSequence++;
    this.#careful = Math.max(0, this.#careful - 1);
    this.#pendingBytes -= bytes;
    this.#unacknowledgedBytes += bytes;
    this.#unacknowledged.push({ request, bytes, hasDroppedPuts: false });
    return request;
  }

  /** Sends an end before a change of its resource type that is offered later, which may be older than its list. */
  #releaseEndOf(resourceType: ResourceType | undefined): void {
    if (this.#heldEnds?.has(resourceType)) {
      this.releaseEnds();
    }
  }

  #push(message: SyncRequest["message"], bytes: number): void {
    this.#segments.push({ type: "marker", message, bytes, traceParent: "" });
    this.#pendingBytes += bytes;
  }

  #pushScope({ resources, namespaces, removed = [], undecided = [], warnings = [] }: DeclaredScope): void {
    this.releaseEnds();
    this.#generation++;
    const scope = create(ScopeDeclaredSchema, {
      generation: this.#generation,
      resources: [...resources],
      namespaces: [...namespaces],
      removed: [...removed],
      undecided: [...undecided],
      warnings: [...warnings],
    });
    const bytes = toBinary(ScopeDeclaredSchema, scope).byteLength;
    this.#push({ case: "scopeDeclared", value: scope }, MARKER_BYTES + bytes);
  }

  /** Restores the messages of the previous session, except for resource types outside the scope. */
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

/** Returns a text that identifies the comparison of a resource type in one attempt of a run. */
function comparisonOf(run: RunRef | undefined, resourceType: ResourceType | undefined): string {
  return `${run?.runId} ${run?.attempt} ${resourceTypeKey(resourceType)}`;
}

/** Returns the end of a comparison as a failure, because one of its items was skipped. */
function toRefused(end: ResourceReconciled): ResourceReconciled {
  const failure = create(FailureSchema, {
    reason: "Refused",
    message: "the backend refused an item of the comparison",
  });
  return create(ResourceReconciledSchema, { ...end, listVersion: "", failure });
}
