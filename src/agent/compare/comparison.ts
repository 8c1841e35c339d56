import { create } from "@bufbuild/protobuf";
import {
  type BatchItem,
  BatchType,
  ReconciliationTrigger,
  type RunRef,
} from "../../../gen/proto/evenkeel/v1/batch_pb.ts";
import { DeleteReason } from "../../../gen/proto/evenkeel/v1/object_pb.ts";
import {
  type ResourceReconciled,
  ResourceReconciledSchema,
} from "../../../gen/proto/evenkeel/v1/reconciliation_pb.ts";
import { sameChecksum } from "../../domain/content-format.ts";
import { formatKey, parseKey } from "../../domain/object-key.ts";
import { keyOfItem } from "../../domain/observations.ts";
import { KeyRanges } from "../../domain/reconciliation/key-ranges.ts";
import { maxVersion, parseResourceVersion } from "../../domain/resource-version.ts";
import { objectKeyOf } from "../../kube/kube-object.ts";
import { withinDeadline } from "../../lib/abort.ts";
import { BoundedQueue } from "../../lib/bounded-queue.ts";
import { reportQuarantined } from "../object-content.ts";
import { createPut, type ObservedState } from "../observed-put.ts";
import { carriedIdentity } from "../representation.ts";
import { RetryBudget } from "../retry-budget.ts";
import { deleteItem } from "../uplink/batch-items.ts";
import type { UplinkSession } from "../uplink/session.ts";
import { DeletionLog } from "../watch/deletion-log.ts";
import type { CurrentList } from "../watch/list-snapshot.ts";
import type { Reflector, UnlistedObject } from "../watch/reflector.ts";
import type { Snapshot } from "../watch/snapshot.ts";
import { diff, type ListedObject, type StoredObject } from "./diff.ts";
import { ComparisonError, DifferenceReader } from "./difference-reader.ts";
import type { PackedChunk } from "./inventory-chunk.ts";
import { RepairBatcher } from "./repair-batcher.ts";

/** Marks of listed objects: to be read, or equal to their rows. Managed objects have none. */
const WANTED = 1;
const EQUAL = 2;

const UNBOUNDED = { maxItems: Number.POSITIVE_INFINITY, maxBytes: Number.POSITIVE_INFINITY };

/** The run that requests a comparison. */
export interface ComparisonRequest {
  readonly run: RunRef;
  readonly trigger: ReconciliationTrigger;
  /** True if the answers are judged only, so the copy stays as it is. */
  readonly isDryRun: boolean;
  /** Called after the comparison has taken a chunk, which no longer waits. */
  readonly onTaken: () => void;
}

/**
 * Compares one resource type in one attempt of a run: lists it, compares the list with each chunk of the
 * inventory when the chunk arrives, and sends the repairs.
 *
 * An object that the list lacks results in a Delete at the list's version. An object that differs is read,
 * and results in a Put, or in a proof that it is gone. The comparison is complete when the chunks tile the
 * whole key space. A chunk that does not arrive in time fails it, and so does a listed object that is neither
 * read nor gone.
 */
export class Comparison {
  readonly #reflector: Reflector;
  readonly #session: UplinkSession;
  readonly #chunks = new BoundedQueue<PackedChunk>(UNBOUNDED, ({ bytes }) => bytes);
  readonly #ranges = new KeyRanges();
  readonly #batches: RepairBatcher;
  readonly #request: ComparisonRequest;
  readonly #retries: RetryBudget;
  readonly #counts = { equal: 0n, put: 0n, deleted: 0n, compared: 0n, managed: 0n, gone: 0n };
  /** Stored states of listed objects without versions, by their index in the list. */
  readonly #unversioned = new Map<number, StoredObject>();
  /** Bytes of the list; undefined until it is complete. */
  #listBytes: number | undefined;
  /** Stored objects that the list lacks. */
  readonly #objectMissing: UnlistedObject[] = [];
  /** Deletes that the watch has sent since the comparison began. */
  #deletions = new DeletionLog();
  /** Keys of the objects whose Deletes were sent because the list lacks them. */
  readonly #deleted = new Set<string>();

  constructor(reflector: Reflector, session: UplinkSession, request: ComparisonRequest) {
    this.#reflector = reflector;
    this.#session = session;
    this.#request = request;
    const type = request.isDryRun ? BatchType.DRY_RUN : BatchType.DEFAULT;
    const revise = (item: BatchItem): BatchItem => this.#revise(item);
    this.#batches = new RepairBatcher(reflector.context, session, request.run, type, revise);
    this.#retries = new RetryBudget(reflector.context, reflector.context.tuning.retries);
  }

  /** Bytes of the chunks that wait to be compared. */
  get waitingBytes(): number {
    return this.#chunks.bytes;
  }

  /** Bytes of the list; before it is complete, those of the index, which has about the same objects. */
  get listBytes(): number {
    return this.#listBytes ?? this.#reflector.index.bytes;
  }

  /** Adds a chunk of the inventory. The caller bounds the waiting bytes. */
  offer(chunk: PackedChunk): void {
    this.#chunks.offer(chunk);
  }

  /** Fails the comparison after all earlier chunks are compared. */
  fail(error: Error): void {
    this.#chunks.close(error);
  }

  /**
   * Compares, sends the end of the comparison, and returns it.
   *
   * @throws the error that ended the comparison, for example a {@link VersionsWentBackError}. No end was sent then.
   */
  async run(signal: AbortSignal): Promise<ResourceReconciled> {
    const { mode } = this.#reflector;
    using deletions = this.#reflector.observeDeletions();
    this.#deletions = deletions.log;
    const firstSequence = this.#session.nextSequence;
    const scopeGeneration = this.#session.scopeGeneration;
    const first = await this.#nextChunk(signal);
    const { snapshot, incarnation } = await this.#list(signal, first);
    // A list of an earlier incarnation proves nothing about the next one: neither a version nor an absence.
    const current = AbortSignal.any([signal, incarnation]);
    const { versions } = this.#reflector.context;
    const doubt = versions.inDoubt;
    this.#listBytes = snapshot.bytes;
    const { contentFormat } = mode;
    const marks = new Uint8Array(snapshot.size);
    for (let chunk = first; ; chunk = await this.#nextChunk(current)) {
      if (this.#ranges.add(chunk.range)) {
        this.#compare(snapshot, chunk, contentFormat, marks);
      }
      if (this.#ranges.isTiled) {
        break;
      }
    }
    await this.#waitForWatch(current, snapshot, marks);
    await this.#delete(current, snapshot, this.#objectMissing);
    const reader = this.#createReader(snapshot);
    await reader.read(current, marks);
    if (mode.contentFormat !== contentFormat) {
      // Rows that compared as equal were written from lists that have proved to be abridged.
      const equal = marks.map((mark) => (mark === EQUAL ? WANTED : 0));
      this.#counts.equal -= BigInt(equal.reduce((sum, mark) => sum + mark, 0));
      await reader.read(current, equal);
    }
    await this.#batches.flush(current);
    reader.assertComplete();
    if (!this.#request.isDryRun) {
      let unlisted = this.#reflector.unlisted(snapshot);
      while (snapshot.isVersioned && unlisted.some(({ key }) => !this.#deleted.has(key))) {
        await this.#deleteUnlisted(current, snapshot, unlisted);
        unlisted = this.#reflector.unlisted(snapshot);
      }
      this.#reflector.merge(snapshot, unlisted);
      versions.settle(doubt);
    }
    // No wait since the check: what the watch sends now, from before the list, comes after the end and is refused.
    current.throwIfAborted();
    const end = this.#toReconciled(snapshot, firstSequence, scopeGeneration);
    this.#session.sendEnd(this.#request.run, end);
    return end;
  }

  #createReader(snapshot: Snapshot): DifferenceReader {
    return new DifferenceReader(this.#reflector, snapshot, this.#deletions, this.#retries, {
      put: async (signal, at, state, observedVersion) => {
        const isPut = await this.#put(signal, at, state, observedVersion);
        this.#counts[isPut ? "put" : "equal"]++;
      },
      gone: async (signal, at, listVersion) => {
        if (listVersion !== undefined) {
          const { uid } = snapshot.at(at);
          const key = snapshot.objectKeyAt(at);
          await this.#batches.add(signal, deleteItem(key, uid, listVersion, DeleteReason.NOT_LISTED));
        }
        this.#counts.gone++;
      },
    });
  }

  #toReconciled(snapshot: Snapshot, firstSequence: bigint, scopeGeneration: bigint): ResourceReconciled {
    const { context } = this.#reflector;
    const { incarnation } = context.versions;
    const { count, examples } = snapshot.unrepresentable;
    const { equal, put, managed, gone } = this.#counts;
    if (equal + put + managed + gone !== BigInt(snapshot.size)) {
      throw new Error(
        `comparison: expected ${snapshot.size} results, found ${equal} equal, ${put} put, ` +
          `${managed} managed, ${gone} gone`,
      );
    }
    return create(ResourceReconciledSchema, {
      ...this.#counts,
      resourceType: context.resourceType,
      listVersion: snapshot.lowestVersion,
      firstSequence,
      scopeGeneration,
      listed: BigInt(snapshot.size + count),
      ...(count === 0 ? {} : { unrepresentable: { count: BigInt(count), examples: [...examples] } }),
      ...(incarnation === undefined ? {} : { incarnation }),
    });
  }

  async #nextChunk(signal: AbortSignal): Promise<PackedChunk> {
    const { clock, tuning } = this.#reflector.context;
    const take = async (until: AbortSignal): Promise<PackedChunk> => {
      for await (const chunk of this.#chunks.take(until)) {
        this.#request.onTaken();
        return chunk;
      }
      throw new ComparisonError("IncompleteInventory", "the inventory ended before its last chunk");
    };
    return await withinDeadline(signal, clock, tuning.inventoryMs, take, () => {
      throw new ComparisonError(
        "IncompleteInventory",
        `expected the next chunk of the inventory within ${tuning.inventoryMs} ms, found none`,
      );
    });
  }

  /**
   * Returns the first list for a run on connect, unless Postgres has a newer high watermark. That watermark
   * can come from this agent's own watch, or mean that versions went back; only a new list can decide.
   */
  async #list(signal: AbortSignal, { incarnation, highWatermark }: PackedChunk): Promise<CurrentList> {
    const { versions } = this.#reflector.context;
    const seen = versions.highWatermark;
    versions.learn(incarnation, parseResourceVersion(highWatermark) ?? 0n);
    const isNews = versions.highWatermark !== seen;
    const reuseInitial = this.#request.trigger === ReconciliationTrigger.CONNECT && !isNews;
    return await this.#retries.run(signal, () => this.#reflector.snapshot(signal, { reuseInitial }));
  }

  #compare(snapshot: Snapshot, chunk: PackedChunk, contentFormat: string, marks: Uint8Array): void {
    const { versions } = this.#reflector.context;
    const { after, through, last } = chunk.range;
    const from = snapshot.after(after);
    const to = last ? snapshot.size : snapshot.after(through);
    const isSameIncarnation = (versions.incarnation ?? chunk.incarnation) === chunk.incarnation;
    this.#counts.compared += BigInt(chunk.size);
    this.#counts.managed += countManaged(snapshot, from, to, chunk.managed);
    const isInDoubt = (version: string): boolean => versions.isInDoubt(version);
    const options = { managed: chunk.managed, contentFormat, isSameIncarnation, isInDoubt };
    for (const entry of diff(this.#listed(snapshot, from, to), chunk.stored(), options)) {
      switch (entry.type) {
        case "equal":
          marks[from + entry.at] = EQUAL;
          this.#counts.equal++;
          break;
        case "changed":
          marks[from + entry.at] = WANTED;
          if (snapshot.at(from + entry.at).resourceVersion === "") {
            this.#unversioned.set(from + entry.at, entry.stored);
          }
          break;
        case "rowMissing":
          marks[from + entry.at] = WANTED;
          break;
        case "objectMissing":
          this.#objectMissing.push({ key: entry.stored.key, uid: entry.stored.uid });
          break;
        default:
          entry satisfies never;
      }
    }
  }

  *#listed(snapshot: Snapshot, from: number, to: number): Generator<ListedObject, void, undefined> {
    for (let at = from; at < to; at++) {
      const key = snapshot.keyAt(at);
      const { uid, resourceVersion } = snapshot.at(at);
      const known = this.#reflector.index.get(key);
      const checksum =
        known?.uid === uid && known.resourceVersion === resourceVersion ? known.checksum : undefined;
      yield { key, uid, resourceVersion, checksum };
    }
  }

  /** Sends a Delete for each object that the list lacks. */
  async #delete(signal: AbortSignal, snapshot: Snapshot, missing: readonly UnlistedObject[]): Promise<void> {
    for (const { key, uid } of missing) {
      this.#deleted.add(key);
      const objectKey = parseKey(key);
      // A namespace outside the scope was not listed, so the list proves nothing about its objects.
      if (objectKey !== undefined && snapshot.covers(objectKey.namespace)) {
        const at = snapshot.versionFor(objectKey.namespace);
        await this.#batches.add(signal, deleteItem(objectKey, uid, at, DeleteReason.NOT_LISTED));
        this.#counts.deleted++;
      }
    }
  }

  /**
   * Deletes the rows of objects that the watch has sent since the inventory was read, and that the list lacks: a watch
   * that lags behind the list reports their end later. Waits up to `watchCatchUpMs` for it first.
   */
  async #deleteUnlisted(
    signal: AbortSignal,
    snapshot: Snapshot,
    unlisted: readonly UnlistedObject[],
  ): Promise<void> {
    const isOpen = ({ key }: UnlistedObject): boolean => !this.#deleted.has(key);
    const keys = unlisted.filter(isOpen).map(({ key }) => key);
    await this.#reflector.waitForWatch(signal, 0n, keys, this.#reflector.context.tuning.watchCatchUpMs);
    await this.#delete(signal, snapshot, this.#reflector.unlisted(snapshot).filter(isOpen));
    await this.#batches.flush(signal);
  }

  /** Changes in flight on the watch are not drift: waits up to `watchCatchUpMs` for them. */
  async #waitForWatch(signal: AbortSignal, snapshot: Snapshot, marks: Uint8Array): Promise<void> {
    let newest = 0n;
    for (let at = marks.indexOf(WANTED); at >= 0; at = marks.indexOf(WANTED, at + 1)) {
      newest = maxVersion(newest, parseResourceVersion(snapshot.at(at).resourceVersion) ?? 0n);
    }
    const gone = this.#objectMissing.map(({ key }) => key);
    await this.#reflector.waitForWatch(signal, newest, gone, this.#reflector.context.tuning.watchCatchUpMs);
  }

  /** Sends a Put, unless an object without version has the stored content. Returns true if it did. */
  async #put(
    signal: AbortSignal,
    at: number,
    state: ObservedState,
    observedVersion: string,
  ): Promise<boolean> {
    const { context, mode } = this.#reflector;
    const { item, content } = createPut(state, mode.contentFormat, observedVersion);
    const { uid, resourceVersion } = carriedIdentity(state.object.metadata);
    const stored = this.#unversioned.get(at);
    const isEqual =
      stored !== undefined &&
      stored.uid === uid &&
      stored.resourceVersion === resourceVersion &&
      stored.contentFormat === content.contentFormat &&
      sameChecksum(stored.checksum, content.checksum);
    if (!isEqual) {
      reportQuarantined(context, formatKey(objectKeyOf(state.object)), content);
      await this.#batches.add(signal, item);
    }
    return !isEqual;
  }

  /**
   * Replaces a Put whose object has ended since it was read by a Delete: the one that the watch has sent may be as old
   * as the Put, or older, and the Put would bring the row back.
   */
  #revise(item: BatchItem): BatchItem {
    const { message } = item;
    if (message.case !== "putObject" || message.value.ref === undefined) {
      return item;
    }
    const { ref, uid, observedVersion } = message.value;
    const version = parseResourceVersion(observedVersion) ?? 0n;
    const deletion = this.#deletions.endOf(keyOfItem(item), uid, version);
    if (deletion === undefined) {
      return item;
    }
    this.#counts.put--;
    this.#counts.gone++;
    return deleteItem(ref, uid, String(maxVersion(version, deletion.observed)), deletion.reason);
  }
}

function countManaged(snapshot: Snapshot, from: number, to: number, managed: ReadonlySet<string>): bigint {
  let count = 0n;
  for (let at = managed.size === 0 ? to : from; at < to; at++) {
    count += managed.has(snapshot.keyAt(at)) ? 1n : 0n;
  }
  return count;
}
