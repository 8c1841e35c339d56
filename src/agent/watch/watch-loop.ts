import { DeleteReason } from "../../../gen/proto/evenkeel/v1/object_pb.ts";
import { UncanonicalError } from "../../domain/canonical-json.ts";
import { type ObjectKey, parseKey } from "../../domain/object-key.ts";
import { resourceTypeKey } from "../../domain/resource-type.ts";
import { maxVersion, parseResourceVersion } from "../../domain/resource-version.ts";
import { assertSameCluster } from "../../kube/api-server.ts";
import { ExpiredError, MalformedResponseError } from "../../kube/kube-error.ts";
import { type KubeObject, objectKeyOf } from "../../kube/kube-object.ts";
import { currentVersion } from "../../kube/list.ts";
import { type WatchEvent, watchEvents } from "../../kube/watch.ts";
import { untilAborted } from "../../lib/abort.ts";
import { RetryableError, toMessage } from "../../lib/errors.ts";
import { type Backoff, createBackoff } from "../../lib/retry.ts";
import type { Work } from "../failure-log.ts";
import type { ResourceContext } from "../resource-context.ts";
import { classifyError, RetryBudget } from "../retry-budget.ts";
import type { IndexWriter } from "./index-writer.ts";
import { listSnapshot } from "./list-snapshot.ts";
import { readContents } from "./read-contents.ts";
import type { ReadingMode } from "./reading-mode.ts";
import type { Snapshot } from "./snapshot.ts";

/** Index writer and callback that the watches of one resource type share. */
export interface WatchTarget {
  readonly writer: IndexWriter;
  readonly mode: ReadingMode;
  /** Called after each processed event. */
  onProgress(): void;
}

/** Successive malformed responses after which the loop lists. A connection that breaks causes single ones. */
const MAX_MALFORMED = 2;

/** A watch of this duration counts as progress, even without events. */
const LONG_WATCH_MS = 60_000;

/**
 * Watches a resource type in one namespace ("" for all) from a version on, and keeps the index equal to the
 * cluster.
 *
 * After a watch ends, the next one resumes at the same version, once a probe has shown that versions did not
 * go back. If that version has expired (410) or versions did go back, the loop lists again and sends the
 * differences between list and index: a Delete at the list's version for an object that the list lacks, a Put
 * for one that changed. An event older than the index is skipped. A bookmark moves the version to resume at,
 * and proves nothing. A Delete is observed at the highest version that the watch has delivered. If events
 * cannot be read, the loop lists again.
 */
export class WatchLoop {
  readonly #context: ResourceContext;
  readonly #namespace: string;
  readonly #target: WatchTarget;
  readonly #backoff: Backoff;
  readonly #work: Work;
  /** Version to resume at; undefined if a list must come first. */
  #resume: bigint | undefined;
  #delivered = 0n;
  /** Successive failures by a response that cannot be read. */
  #malformed = 0;
  /** Signal of the incarnation that the index belongs to. */
  #incarnationSignal: AbortSignal;

  constructor(context: ResourceContext, namespace: string, target: WatchTarget, from: bigint | undefined) {
    this.#context = context;
    this.#namespace = namespace;
    this.#target = target;
    this.#backoff = createBackoff(context.random, context.tuning.backoff);
    this.#work = { activity: "watch", resourceType: resourceTypeKey(context.resourceType), namespace };
    this.#incarnationSignal = context.versions.incarnationSignal;
    this.#resume = from;
    this.#delivered = from ?? 0n;
  }

  /** All events up to this version were delivered to the sink. */
  get delivered(): bigint {
    return this.#delivered;
  }

  /**
   * Runs until `signal` aborts.
   *
   * @throws ConfigError or ClusterChangedError, which end the agent; other errors are retried.
   */
  async run(signal: AbortSignal): Promise<void> {
    let isFirst = true;
    for (;;) {
      let retryAfterMs = 0;
      try {
        const from = isFirst ? this.#resume : await this.#probe(signal);
        isFirst = false;
        const start = from ?? (await this.#relist(signal));
        if (start === undefined) {
          return await this.#leaveToRuns(signal);
        }
        await this.#watch(signal, start);
      } catch (error) {
        signal.throwIfAborted();
        if (classifyError(error) === "fail") {
          throw error;
        }
        retryAfterMs = this.#onFailure(error);
      }
      const { clock } = this.#context;
      await clock.sleep(signal, Math.max(retryAfterMs, this.#backoff.nextMs()));
    }
  }

  /** Waits for the end, because without versions only runs can read the resource type. */
  async #leaveToRuns(signal: AbortSignal): Promise<void> {
    const { log, resourceType } = this.#context;
    log.info("resource type is only listed: its versions do not compare", {
      resourceType: resourceTypeKey(resourceType),
    });
    await untilAborted(signal);
    signal.throwIfAborted();
  }

  /**
   * Returns the version to resume at, or undefined if a list must come first. If versions went back, the API
   * server would accept a watch from the old version but send no events.
   */
  async #probe(signal: AbortSignal): Promise<bigint | undefined> {
    const { kube, resourceType, versions, evidence } = this.#context;
    if (this.#resume === undefined || this.#incarnationSignal.aborted) {
      return undefined;
    }
    const mark = versions.highWatermark;
    const version = parseResourceVersion(await currentVersion(signal, kube, resourceType, this.#namespace));
    if (version !== undefined && version >= mark) {
      evidence.remove(resourceType);
      return this.#resume;
    }
    // A stale response can also be below the watermark; the list decides.
    evidence.add(resourceType);
    versions.doubt(version ?? 0n);
    return undefined;
  }

  async #watch(signal: AbortSignal, from: bigint): Promise<void> {
    const { kube, resourceType, tuning, random, clock, counters } = this.#context;
    // `break` alone would not end the request.
    const request = new AbortController();
    const started = clock.monotonic();
    const timeoutSeconds = Math.ceil((tuning.watchMs * (1 + random.float())) / 1000);
    const options = {
      resourceType,
      namespace: this.#namespace,
      resourceVersion: String(from),
      timeoutSeconds,
      clock,
    };
    counters.watches++;
    this.#resume = from;
    try {
      const ended = AbortSignal.any([signal, request.signal, this.#incarnationSignal]);
      for await (const event of watchEvents(ended, kube, options)) {
        await this.#take(ended, event);
        counters.events++;
        this.#onProgress();
        this.#target.onProgress();
      }
    } finally {
      request.abort();
      if (clock.monotonic() - started >= LONG_WATCH_MS) {
        this.#onProgress();
      }
    }
  }

  #onProgress(): void {
    this.#malformed = 0;
    this.#backoff.reset();
    this.#context.failures.worked(this.#work);
  }

  async #take(signal: AbortSignal, event: WatchEvent): Promise<void> {
    const { resourceType, versions } = this.#context;
    const text = event.type === "bookmark" ? event.version : (event.object.metadata.resourceVersion ?? "");
    const version = parseResourceVersion(text);
    if (version === undefined) {
      throw new MalformedResponseError(
        `watch of ${resourceTypeKey(resourceType)}: expected a decimal version, found ${JSON.stringify(text)}`,
      );
    }
    if (event.type === "put") {
      await this.#put(signal, event.object, version);
    } else if (event.type === "delete") {
      // Some servers send the object with its last version instead of that of its deletion.
      const observed = maxVersion(version, this.#delivered);
      const { uid = "" } = event.object.metadata;
      const key = objectKeyOf(event.object);
      await this.#target.writer.delete(signal, key, uid, observed, DeleteReason.OBSERVED);
    }
    versions.observe(version);
    this.#resume = maxVersion(this.#resume ?? 0n, version);
    this.#delivered = maxVersion(this.#delivered, version);
  }

  async #put(signal: AbortSignal, shown: KubeObject, version: bigint): Promise<void> {
    const { writer, mode } = this.#target;
    if (!writer.canHold(objectKeyOf(shown))) {
      return;
    }
    const object = await mode.resolve(signal, shown);
    if (object !== undefined) {
      const own = parseResourceVersion(object.metadata.resourceVersion ?? "") ?? 0n;
      await writer.put(signal, { object }, mode.contentFormat, maxVersion(version, own));
    }
  }

  /**
   * Lists, sends the differences from the index, and returns the version to watch from; undefined if versions
   * of the resource type do not compare.
   */
  async #relist(signal: AbortSignal): Promise<bigint | undefined> {
    const { kube, clusterUid } = this.#context;
    await assertSameCluster(signal, kube, clusterUid);
    const { snapshot, incarnation } = await listSnapshot(signal, this.#context, [this.#namespace]);
    const from = parseResourceVersion(snapshot.versionFor(this.#namespace));
    if (from === undefined) {
      return undefined;
    }
    const isSameIncarnation = this.#incarnationSignal === incarnation;
    const current = AbortSignal.any([signal, incarnation]);
    await this.#deleteMissing(current, snapshot, from, isSameIncarnation);
    await this.#putChanged(current, snapshot);
    this.#incarnationSignal = incarnation;
    this.#delivered = isSameIncarnation ? maxVersion(this.#delivered, from) : from;
    return from;
  }

  /**
   * Sends a Delete for each object that the list lacks. In a new incarnation the versions of the index do not
   * compare, so its entries are removed.
   */
  async #deleteMissing(
    signal: AbortSignal,
    snapshot: Snapshot,
    at: bigint,
    isSameIncarnation: boolean,
  ): Promise<void> {
    const { index } = this.#target.writer;
    const missing: { readonly key: ObjectKey; readonly uid: string }[] = [];
    let found = 0;
    for (const text of index.keys()) {
      const key = parseKey(text);
      if (key === undefined || !snapshot.covers(key.namespace)) {
        continue;
      }
      const uid = index.get(text)?.uid ?? "";
      if (!isSameIncarnation) {
        index.delete(text);
      }
      if (snapshot.find(text) === undefined) {
        missing.push({ key, uid });
      } else {
        found++;
      }
    }
    const created = snapshot.size - found;
    const net = BigInt(Math.max(1, missing.length - created));
    for (const { key, uid } of missing) {
      await this.#target.writer.delete(signal, key, uid, at, DeleteReason.NOT_LISTED, net);
    }
  }

  async #putChanged(signal: AbortSignal, snapshot: Snapshot): Promise<void> {
    const { log, resourceType, versions } = this.#context;
    const { writer, mode } = this.#target;
    const wanted = new Uint8Array(snapshot.size);
    for (let at = 0; at < snapshot.size; at++) {
      const listed = snapshot.at(at);
      const known = writer.index.get(snapshot.keyAt(at));
      const isSame = known?.uid === listed.uid && known.resourceVersion === listed.resourceVersion;
      // Two objects without versions, or with versions in doubt, can differ.
      if (!isSame || listed.resourceVersion === "" || versions.isInDoubt(listed.resourceVersion)) {
        wanted[at] = 1;
      }
    }
    // A failed watch is retried as a whole.
    const retries = new RetryBudget(this.#context, { maxRetries: 0, maxDelayMs: 0 });
    for await (const result of readContents(signal, this.#context, { snapshot, wanted }, { mode, retries })) {
      if (result.type === "object") {
        const observed = parseResourceVersion(result.observedVersion) ?? 0n;
        await writer.put(signal, result.state, mode.contentFormat, observed);
      } else if (result.type === "failed") {
        // The index keeps its old state, so the next list or run reads the object again.
        log.warn("object not read", {
          resourceType: resourceTypeKey(resourceType),
          key: snapshot.keyAt(result.at),
          error: toMessage(result.error),
        });
      }
      // The watch reports the end of an object that no longer exists.
    }
  }

  #onFailure(error: unknown): number {
    if (error instanceof ExpiredError || this.#incarnationSignal.aborted) {
      this.#resume = undefined;
    }
    if (error instanceof MalformedResponseError || error instanceof UncanonicalError) {
      this.#malformed++;
      // The same event would end the next watch, too: a list shows its object and those behind it.
      if (this.#malformed >= MAX_MALFORMED) {
        this.#malformed = 0;
        this.#resume = undefined;
      }
    }
    this.#context.failures.failed(this.#work, error);
    return error instanceof RetryableError ? (error.retryAfterMs ?? 0) : 0;
  }
}
