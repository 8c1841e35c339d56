import { parseKey } from "../../domain/object-key.ts";
import { resourceTypeKey } from "../../domain/resource-type.ts";
import { minVersion, parseResourceVersion } from "../../domain/resource-version.ts";
import { assertSameCluster, ClusterChangedError } from "../../kube/api-server.ts";
import { untilAborted, waitFor, withinDeadline } from "../../lib/abort.ts";
import { Condition } from "../../lib/condition.ts";
import { createSilentLog } from "../../lib/log.ts";
import { retry } from "../../lib/retry.ts";
import type { ResourceContext } from "../resource-context.ts";
import { classifyError } from "../retry-budget.ts";
import type { ChangeSink } from "../uplink/live-segment.ts";
import type { DeletionLog } from "./deletion-log.ts";
import { IndexWriter } from "./index-writer.ts";
import { type CurrentList, listSnapshot } from "./list-snapshot.ts";
import { PackedIndex } from "./object-index.ts";
import { ReadingMode } from "./reading-mode.ts";
import type { Snapshot } from "./snapshot.ts";
import { WatchLoop } from "./watch-loop.ts";

/** Scope and start of a reflector. */
export interface ReflectorOptions {
  /** Namespaces to read; empty: all. */
  readonly namespaces: readonly string[];
  /** True if the server can watch the resource type; otherwise it is only listed. */
  readonly isWatchable: boolean;
  /**
   * True to send every object of the first list: no run compares a resource type that joins the scope during
   * a session.
   */
  readonly sendAll: boolean;
}

/** A log of Deletes that is open until its disposal. */
export interface DeletionObserver extends Disposable {
  readonly log: DeletionLog;
}

/** An object that a list lacks. */
export interface UnlistedObject {
  readonly key: string;
  readonly uid: string;
}

/** Source of a snapshot. */
export interface SnapshotOptions {
  /**
   * True to return the first list instead of a new one, if it is unused, and of this session and incarnation. A run
   * on connect is requested before Welcome, and verifies the rows as of that time.
   */
  readonly reuseInitial: boolean;
}

/**
 * Follows one resource type: a first list, metadata only, then a watch from its version in each namespace of
 * the scope. Watch events go to the sink. The first list does not, because a run compares it.
 *
 * A resource type whose versions do not compare, or that cannot be watched, is listed only for runs. Failures
 * (403, 404, 503, a truncated list) are retried and never mean that objects are absent.
 */
export class Reflector {
  readonly #context: ResourceContext;
  readonly #options: ReflectorOptions;
  readonly #writer: IndexWriter;
  readonly #mode: ReadingMode;
  readonly #started = Promise.withResolvers<void>();
  /** The first list, and the epoch in which it was begun. */
  #initial: (CurrentList & { readonly epoch: bigint }) | undefined;
  #watchers: readonly WatchLoop[] = [];
  readonly #progress = new Condition();

  constructor(context: ResourceContext, sink: ChangeSink, options: ReflectorOptions) {
    this.#context = context;
    this.#writer = new IndexWriter(context, new PackedIndex(), sink);
    this.#mode = new ReadingMode(context);
    this.#options = options;
  }

  get context(): ResourceContext {
    return this.#context;
  }

  /** Index of the objects of the resource type. */
  get index(): PackedIndex {
    return this.#writer.index;
  }

  /** The way in which contents are read. */
  get mode(): ReadingMode {
    return this.#mode;
  }

  /**
   * Runs until `signal` aborts.
   *
   * @throws ConfigError or ClusterChangedError, which end the agent; other errors are retried.
   */
  async run(signal: AbortSignal): Promise<void> {
    const first = await this.#listFirst(signal);
    if (!first.isVersioned || !this.#options.isWatchable) {
      await untilAborted(signal);
      signal.throwIfAborted();
    }
    const onProgress = (): void => this.#progress.notifyAll();
    const watch = { writer: this.#writer, mode: this.#mode, onProgress };
    this.#watchers = first.namespaces.map((namespace) => {
      const from = parseResourceVersion(first.versionFor(namespace)) ?? 0n;
      return new WatchLoop(this.#context, namespace, watch, this.#options.sendAll ? undefined : from);
    });
    // A watch that fails permanently stops the others.
    const together = new AbortController();
    const each = AbortSignal.any([signal, together.signal]);
    const runs = this.#watchers.map(async (watcher) => {
      try {
        await watcher.run(each);
      } finally {
        together.abort(signal.reason);
      }
    });
    const failures = (await Promise.allSettled(runs)).filter((result) => result.status === "rejected");
    signal.throwIfAborted();
    throw failures.find(({ reason }) => reason instanceof ClusterChangedError)?.reason ?? failures[0]?.reason;
  }

  /**
   * Returns a complete, linearizable list of the resource type.
   *
   * @throws the error of the API server's response.
   */
  async snapshot(signal: AbortSignal, { reuseInitial }: SnapshotOptions): Promise<CurrentList> {
    // If the first list has failed, the new one reports the cause.
    await waitFor(signal, this.#started.promise);
    const initial = this.#initial;
    this.#initial = undefined;
    const isUsable = initial?.epoch === this.#context.epoch() && !initial.incarnation.aborted;
    return reuseInitial && isUsable ? initial : await this.#list(signal);
  }

  /**
   * Waits until the watch has delivered all events up to a version and the deletion of the objects that a
   * list lacks, for at most `ms`.
   */
  async waitForWatch(
    signal: AbortSignal,
    version: bigint,
    gone: readonly string[],
    ms: number,
  ): Promise<void> {
    const isCurrent = (): boolean =>
      this.#delivered() >= version && gone.every((key) => this.index.get(key) === undefined);
    await this.waitForProgress(signal, isCurrent, ms);
  }

  /** Opens a log of the Deletes that the watch sends from now on. The caller must dispose of it. */
  observeDeletions(): DeletionObserver {
    const log = this.#writer.openDeletionLog();
    return { log, [Symbol.dispose]: () => this.#writer.closeDeletionLog(log) };
  }

  /** Waits until a condition about the progress of the watch is true, for at most `ms`. */
  async waitForProgress(signal: AbortSignal, isReached: () => boolean, ms: number): Promise<void> {
    const isOver = (): boolean => this.#watchers.length === 0 || isReached();
    const wait = (until: AbortSignal): Promise<void> => this.#progress.waitUntil(until, isOver);
    await withinDeadline(signal, this.#context.clock, ms, wait, () => {});
  }

  /**
   * Returns the objects that a complete list lacks, and that were sent in a state from before the list: the watch has
   * not reported their end yet.
   */
  unlisted(snapshot: Snapshot): UnlistedObject[] {
    const unlisted: UnlistedObject[] = [];
    for (const key of this.index.keys()) {
      const namespace = parseKey(key)?.namespace ?? "";
      if (snapshot.covers(namespace) && snapshot.find(key) === undefined) {
        const { uid = "", resourceVersion = "" } = this.index.get(key) ?? {};
        const listed = parseResourceVersion(snapshot.versionFor(namespace));
        const sent = parseResourceVersion(resourceVersion);
        if (listed === undefined || sent === undefined || sent <= listed) {
          unlisted.push({ key, uid });
        }
      }
    }
    return unlisted;
  }

  /** Merges a complete list into the index: removes `unlisted` objects. Newer state from the watch stays. */
  merge(snapshot: Snapshot, unlisted: readonly UnlistedObject[]): void {
    for (const { key } of unlisted) {
      this.index.delete(key);
    }
    for (let at = 0; at < snapshot.size; at++) {
      const key = snapshot.keyAt(at);
      const listed = snapshot.at(at);
      const known = this.index.get(key);
      if (known === undefined || isOlder(known.resourceVersion, listed.resourceVersion)) {
        this.index.set(key, listed);
      }
    }
  }

  async #listFirst(signal: AbortSignal): Promise<Snapshot> {
    const { clock, random, failures, tuning, resourceType } = this.#context;
    const work = { activity: "read", resourceType: resourceTypeKey(resourceType) } as const;
    const options = {
      ...{ clock, random, backoff: tuning.backoff, classify: classifyError },
      name: "first list",
      // Resource types that fail for one reason share a line.
      log: createSilentLog(),
      onWait: (error: unknown) => failures.failed(work, error),
    };
    return await retry(signal, options, async () => {
      try {
        const epoch = this.#context.epoch();
        const list = await this.#list(signal);
        failures.worked(work);
        if (!this.#options.sendAll) {
          this.#fillIndex(list.snapshot);
        }
        this.#initial = { ...list, epoch };
        return list.snapshot;
      } finally {
        this.#started.resolve();
      }
    });
  }

  async #list(signal: AbortSignal): Promise<CurrentList> {
    const { kube, clusterUid } = this.#context;
    await assertSameCluster(signal, kube, clusterUid);
    const { namespaces } = this.#options;
    return await listSnapshot(signal, this.#context, namespaces.length === 0 ? [""] : namespaces);
  }

  #fillIndex(snapshot: Snapshot): void {
    for (let at = 0; at < snapshot.size; at++) {
      this.index.set(snapshot.keyAt(at), snapshot.at(at));
    }
  }

  /** Version up to which all watches have delivered. */
  #delivered(): bigint {
    return this.#watchers.map(({ delivered }) => delivered).reduce(minVersion);
  }
}

function isOlder(known: string, listed: string): boolean {
  const [a, b] = [parseResourceVersion(known), parseResourceVersion(listed)];
  return a === undefined || b === undefined ? known !== listed : a < b;
}
