import { resourceTypeKey } from "../../domain/resource-type.ts";
import { DeadlineError } from "../../lib/clock.ts";
import { CompactedError, type StoreEvent } from "../mvcc-store.ts";
import { type ServedResource, toApiVersion } from "../served-resources.ts";
import type { SimulatedCluster } from "../simulated-cluster.ts";
import type { SimulatedObject } from "../simulated-object.ts";
import type { FeedItem, FeedSubscription } from "../watch-feed.ts";
import { type ApiStatusError, expired } from "./api-status.ts";
import type { ListParameters } from "./list-query.ts";
import { type Representation, represent, withResourceVersion } from "./representation.ts";

/** Parameters of a watch. */
export interface WatchQuery {
  readonly served: ServedResource;
  readonly namespace: string | undefined;
  readonly options: ListParameters;
  readonly representation: Representation;
}

/** Interval of the bookmarks of an idle watch (`defaultBookmarkFrequency` of the real server). */
const BOOKMARK_INTERVAL_MS = 60_000;
/** Time between the last bookmark of a watch and its end. */
const LAST_BOOKMARK_MS = 2_000;
/** Watches without `timeoutSeconds` end after one to two times this period (`--min-request-timeout`). */
const MIN_TIMEOUT_MS = 1_800_000;

/**
 * Yields the body of a watch, one JSON event per line, until its timeout. It ends early after an ERROR event. The
 * caller disposes the subscription.
 *
 * A version in the future is accepted. As on the real server, events begin when the cluster reaches it.
 *
 * @throws the reason of `subscription.cut` when that aborts
 */
export async function* createWatchBody(
  signal: AbortSignal,
  cluster: SimulatedCluster,
  query: WatchQuery,
  subscription: FeedSubscription,
): AsyncGenerator<string, void, undefined> {
  const timeoutMs = toTimeoutMs(cluster, query.options);
  using deadline = cluster.clock.deadline(AbortSignal.any([signal, subscription.cut]), timeoutMs);
  const stop = new AbortController();
  const until = AbortSignal.any([deadline.signal, stop.signal]);
  const bookmarks = query.options.allowWatchBookmarks
    ? offerBookmarks(until, cluster, subscription, timeoutMs)
    : Promise.resolve();
  try {
    const start = readStart(cluster, query);
    yield* start.lines;
    if (start.after === undefined) {
      return;
    }
    for await (const item of subscription.queue.take(until)) {
      const line = toLine(item, query, start.after);
      if (line !== undefined) {
        yield line;
      }
    }
  } catch (error) {
    if (!(error instanceof DeadlineError) || signal.aborted) {
      throw error;
    }
  } finally {
    stop.abort();
    await bookmarks;
  }
}

interface WatchStart {
  readonly lines: Iterable<string>;
  /** The watch continues after this revision; undefined if it ends. */
  readonly after: number | undefined;
}

function readStart(cluster: SimulatedCluster, query: WatchQuery): WatchStart {
  const asked = query.options.resourceVersion;
  const newest = cluster.store.revision;
  if (asked === undefined || asked === 0n) {
    return { lines: initialLines(cluster, query, newest), after: newest };
  }
  try {
    const after = Number(asked);
    const missed = cluster.eventsAfter(resourceTypeKey(query.served), after);
    const lines = missed.flatMap((event) => toLine({ type: "event", event }, query, after) ?? []);
    return { lines, after: Math.max(after, newest) };
  } catch (error) {
    if (!(error instanceof CompactedError)) {
      throw error;
    }
    const tooOld = expired(`too old resource version: ${asked} (${cluster.store.compactedRevision})`);
    return { lines: [toErrorLine(tooOld)], after: undefined };
  }
}

function initialLines(cluster: SimulatedCluster, query: WatchQuery, revision: number): string[] {
  const present = cluster.store
    .list(resourceTypeKey(query.served), revision)
    .filter(({ key }) => isInNamespace(key, query.namespace))
    .map((entry) => toEventLine("ADDED", withResourceVersion(entry), query));
  return query.options.allowWatchBookmarks
    ? [...present, toBookmarkLine(query, revision, { "k8s.io/initial-events-end": "true" })]
    : present;
}

function toLine(item: FeedItem, query: WatchQuery, after: number): string | undefined {
  switch (item.type) {
    case "bookmark":
      return item.revision < after ? undefined : toBookmarkLine(query, item.revision);
    case "event":
      return item.event.revision <= after || !isInNamespace(item.event.key, query.namespace)
        ? undefined
        : toEventLine(...toChange(item.event), query);
    default:
      return item satisfies never;
  }
}

/**
 * Returns the event type and object of a write. A deleted object is sent unchanged, with the version of its deletion.
 */
function toChange({ revision, value, previous }: StoreEvent<SimulatedObject>): [string, SimulatedObject] {
  const object = value ?? previous;
  if (object === undefined) {
    throw new Error(`watch: the write at revision ${revision} has neither a value nor a previous one`);
  }
  const type = value === undefined ? "DELETED" : previous === undefined ? "ADDED" : "MODIFIED";
  return [type, withResourceVersion({ value: object, modRevision: revision })];
}

function toEventLine(type: string, object: SimulatedObject, { representation }: WatchQuery): string {
  return `${JSON.stringify({ type, object: represent(object, representation) })}\n`;
}

function toBookmarkLine(
  { served, representation }: WatchQuery,
  revision: number,
  annotations?: Readonly<Record<string, string>>,
): string {
  const metadata = {
    resourceVersion: String(revision),
    ...(annotations === undefined ? {} : { annotations }),
  };
  const object =
    representation === "metadata"
      ? { kind: "PartialObjectMetadata", apiVersion: "meta.k8s.io/v1", metadata }
      : { kind: served.kind, apiVersion: toApiVersion(served), metadata };
  return `${JSON.stringify({ type: "BOOKMARK", object })}\n`;
}

function toErrorLine(error: ApiStatusError): string {
  return `${JSON.stringify({ type: "ERROR", object: error.body })}\n`;
}

function isInNamespace(key: string, namespace: string | undefined): boolean {
  return namespace === undefined || key.startsWith(`${namespace}/`);
}

function toTimeoutMs(cluster: SimulatedCluster, { timeoutSeconds }: ListParameters): number {
  return timeoutSeconds ? timeoutSeconds * 1000 : MIN_TIMEOUT_MS * (1 + cluster.random.float());
}

/** Adds bookmarks behind the events that they cover, until `signal` aborts. */
async function offerBookmarks(
  signal: AbortSignal,
  cluster: SimulatedCluster,
  { queue }: FeedSubscription,
  timeoutMs: number,
): Promise<void> {
  const start = cluster.clock.monotonic();
  try {
    for (;;) {
      const untilLast = start + timeoutMs - LAST_BOOKMARK_MS - cluster.clock.monotonic();
      const isLast = untilLast <= BOOKMARK_INTERVAL_MS;
      await cluster.clock.sleep(signal, Math.max(0, isLast ? untilLast : BOOKMARK_INTERVAL_MS));
      if (!cluster.faults.holdBookmarks) {
        // A full queue refuses it. Then the events themselves advance the watcher.
        queue.offer({ type: "bookmark", revision: cluster.store.revision });
      }
      if (isLast) {
        return;
      }
    }
  } catch (error) {
    if (!signal.aborted) {
      throw error;
    }
  }
}
