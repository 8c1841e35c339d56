import { DeleteReason } from "../../../gen/proto/evenkeel/v1/object_pb.ts";
import { parseKey } from "../../domain/object-key.ts";
import { resourceTypeKey } from "../../domain/resource-type.ts";
import { maxVersion, parseResourceVersion } from "../../domain/resource-version.ts";
import { assertSameCluster } from "../../kube/cluster-uid.ts";
import { ExpiredError, MalformedResponseError } from "../../kube/kube-error.ts";
import { currentVersion } from "../../kube/list.ts";
import { type WatchEvent, watchEvents } from "../../kube/watch.ts";
import { type Backoff, createBackoff } from "../../lib/backoff.ts";
import { RetryableError } from "../../lib/errors.ts";
import { createOutageLog, type OutageLog } from "../../lib/outage-log.ts";
import { classifyError } from "../classify-error.ts";
import type { ResourceContext } from "../resource-context.ts";
import { type IndexWriter, objectKeyOf } from "./index-writer.ts";
import { listSnapshot } from "./list-snapshot.ts";
import { readContents } from "./read-contents.ts";
import type { Snapshot } from "./snapshot.ts";

/** What the watchers of a kind share. */
export interface WatchTarget {
  readonly writer: IndexWriter;
  /** Called after each event that was taken. */
  onProgress(): void;
}

/** A watch that lived this long has made progress, also when nothing happened in it. */
const LONG_WATCH_MS = 60_000;

/**
 * Watches a kind in one namespace ("" is all) from a version on, and keeps the index true.
 *
 * After a watch ended it goes on where that one stopped, once a probe has shown that versions did not go
 * back. When that is too long ago (410), or versions did go back, it lists again and sends the differences to
 * the index: what is missing as Delete at the list's version, what changed as Put. An event older than what
 * is known of its object is skipped. A bookmark moves the place to go on from, and proves nothing.
 */
export class WatchLoop {
  readonly #context: ResourceContext;
  readonly #namespace: string;
  readonly #target: WatchTarget;
  readonly #backoff: Backoff;
  readonly #outage: OutageLog;
  /** Where to go on; undefined when a list is needed first. */
  #resume: bigint | undefined;
  #delivered = 0n;
  /** Incarnation that the index belongs to. */
  #incarnationSignal: AbortSignal;

  constructor(context: ResourceContext, namespace: string, target: WatchTarget, from: bigint | undefined) {
    this.#context = context;
    this.#namespace = namespace;
    this.#target = target;
    this.#backoff = createBackoff(context.random, context.tuning.backoff);
    this.#outage = createOutageLog(
      context.log.with({ resourceType: resourceTypeKey(context.resourceType), namespace }),
      { failed: "watch failed; retrying", worked: "watch goes on" },
    );
    this.#incarnationSignal = context.versions.incarnationSignal;
    this.#resume = from;
    this.#delivered = from ?? 0n;
  }

  /** Everything up to this version was delivered to the sink. */
  get delivered(): bigint {
    return this.#delivered;
  }

  /** Runs until `signal` aborts; rejects with an error that ends the agent alone. */
  async run(signal: AbortSignal): Promise<void> {
    let isFirst = true;
    for (;;) {
      let retryAfterMs = 0;
      try {
        const from = isFirst ? this.#resume : await this.#probe(signal);
        isFirst = false;
        await this.#watch(signal, from ?? (await this.#relist(signal)));
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

  /**
   * Where to go on, provided that versions did not go back: a watch from the future is accepted, and silent.
   */
  async #probe(signal: AbortSignal): Promise<bigint | undefined> {
    const { kube, resourceType, versions } = this.#context;
    if (this.#resume === undefined || this.#incarnationSignal.aborted) {
      return undefined;
    }
    const mark = versions.highWatermark;
    const version = parseResourceVersion(await currentVersion(signal, kube, resourceType, this.#namespace));
    // A stale answer looks the same; the list tells.
    return version !== undefined && version >= mark ? this.#resume : undefined;
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
    this.#backoff.reset();
    this.#outage.worked();
  }

  async #take(signal: AbortSignal, event: WatchEvent): Promise<void> {
    const { resourceType, versions } = this.#context;
    const text = event.type === "bookmark" ? event.version : event.object.metadata.resourceVersion;
    const version = parseResourceVersion(text);
    if (version === undefined) {
      throw new MalformedResponseError(
        `watch of ${resourceTypeKey(resourceType)}: version ${JSON.stringify(text)} is no number`,
      );
    }
    if (event.type === "put") {
      await this.#target.writer.put(signal, event.object, version);
    } else if (event.type === "delete") {
      await this.#target.writer.delete(
        signal,
        objectKeyOf(event.object),
        event.object.metadata.uid,
        version,
        DeleteReason.OBSERVED,
      );
    }
    versions.observe(version);
    this.#resume = maxVersion(this.#resume ?? 0n, version);
    this.#delivered = maxVersion(this.#delivered, version);
  }

  /** Lists, sends what differs from the index, and gives the version to watch from. */
  async #relist(signal: AbortSignal): Promise<bigint> {
    const { kube, clusterUid, versions } = this.#context;
    await assertSameCluster(signal, kube, clusterUid);
    const snapshot = await listSnapshot(signal, this.#context, [this.#namespace]);
    const from = parseResourceVersion(snapshot.versionFor(this.#namespace));
    if (from === undefined) {
      throw new MalformedResponseError(
        `versions of ${resourceTypeKey(this.#context.resourceType)} are no numbers any more`,
      );
    }
    const isSameIncarnation = this.#incarnationSignal === versions.incarnationSignal;
    await this.#deleteMissing(signal, snapshot, from, isSameIncarnation);
    await this.#putChanged(signal, snapshot);
    this.#incarnationSignal = versions.incarnationSignal;
    this.#delivered = isSameIncarnation ? maxVersion(this.#delivered, from) : from;
    return from;
  }

  /**
   * Deletes what the list lacks. In a new incarnation the index's versions mean nothing, so all of it is
   * forgotten.
   */
  async #deleteMissing(
    signal: AbortSignal,
    snapshot: Snapshot,
    at: bigint,
    isSameIncarnation: boolean,
  ): Promise<void> {
    const { index } = this.#target.writer;
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
        await this.#target.writer.delete(signal, key, uid, at, DeleteReason.NOT_LISTED);
      }
    }
  }

  async #putChanged(signal: AbortSignal, snapshot: Snapshot): Promise<void> {
    const wanted = new Uint8Array(snapshot.size);
    let count = 0;
    for (let at = 0; at < snapshot.size; at++) {
      const listed = snapshot.at(at);
      const known = this.#target.writer.index.get(snapshot.keyAt(at));
      if (known?.uid !== listed.uid || known.resourceVersion !== listed.resourceVersion) {
        wanted[at] = 1;
        count++;
      }
    }
    for await (const { object, observedVersion } of readContents(signal, this.#context, {
      snapshot,
      wanted,
      count,
    })) {
      await this.#target.writer.put(signal, object, parseResourceVersion(observedVersion) ?? 0n);
    }
  }

  #onFailure(error: unknown): number {
    if (error instanceof ExpiredError || this.#incarnationSignal.aborted) {
      this.#resume = undefined;
    }
    this.#outage.failed(error, "info");
    return error instanceof RetryableError ? (error.retryAfterMs ?? 0) : 0;
  }
}
