import { formatKey } from "../../domain/object-key.ts";
import { resourceTypeKey } from "../../domain/resource-type.ts";
import { parseResourceVersion } from "../../domain/resource-version.ts";
import { objectKeyOf } from "../../kube/kube-object.ts";
import { currentVersion, listPages } from "../../kube/list.ts";
import { RetryableError } from "../../lib/errors.ts";
import { carriedIdentity, escapeKey, findKeyProblem } from "../representation.ts";
import type { ResourceContext } from "../resource-context.ts";
import { type Snapshot, SnapshotBuilder } from "./snapshot.ts";

/** A complete list. */
export interface CurrentList {
  readonly snapshot: Snapshot;
  /** Aborts when the incarnation of its versions ends. Then neither versions nor absences of the list count. */
  readonly incarnation: AbortSignal;
}

/**
 * Lists a resource type in these namespaces ("" for all), linearizably, metadata only.
 *
 * A list below the high watermark is refused, because a lagging API server may have served it. It is repeated until one
 * is not below it, or until it is proved that the versions themselves went back (an etcd restored from a backup). Then
 * a new incarnation begins. If they did not go back, the versions between are in doubt: a restored etcd may have
 * assigned them again meanwhile. The watermark is read before the request, because the watch advances it meanwhile.
 *
 * A list that was begun in an earlier incarnation is refused too: its versions may be those of the earlier history.
 *
 * The incarnation is the epoch of the session. A resource type that has used it already ends the session.
 *
 * @throws RetryableError after it has ended the session.
 */
export async function listSnapshot(
  signal: AbortSignal,
  context: ResourceContext,
  namespaces: readonly string[],
): Promise<CurrentList> {
  for (;;) {
    const list = await listCurrent(signal, context, namespaces);
    if (list !== undefined) {
      return list;
    }
  }
}

/** Returns a list of the current incarnation, which it may begin; undefined if another task began one meanwhile. */
async function listCurrent(
  signal: AbortSignal,
  context: ResourceContext,
  namespaces: readonly string[],
): Promise<CurrentList | undefined> {
  const { log, failures, evidence, versions, resourceType } = context;
  const mark = versions.highWatermark;
  const before = versions.incarnationSignal;
  const snapshot = await listOnce(signal, context, namespaces);
  if (before.aborted) {
    return undefined;
  }
  if (!isBelow(snapshot, mark)) {
    evidence.remove(resourceType);
    return toCurrentList(context, snapshot);
  }
  const name = resourceTypeKey(resourceType);
  versions.doubt(parseResourceVersion(snapshot.lowestVersion) ?? 0n);
  // An etcd restore affects all resource types, which share a line; their versions are details.
  failures.noticed("staleList", name);
  log.debug("list below the high watermark refused", {
    resourceType: name,
    version: snapshot.lowestVersion,
    mark,
  });
  const again = await listAgain(signal, context, namespaces, mark);
  if (again === undefined) {
    return undefined;
  }
  if (isBelow(again, mark)) {
    const incarnation = context.epoch();
    if (versions.incarnation === incarnation) {
      const reason = `${name}: versions went back a second time in one session`;
      context.renewSession(incarnation, reason);
      throw new RetryableError(`${reason}; the next session begins a new incarnation`);
    }
    failures.noticed("incarnation", name);
    log.debug("new incarnation begun", {
      resourceType: name,
      version: again.lowestVersion,
      mark,
      incarnation,
    });
    evidence.conclude(resourceType);
    versions.restart(incarnation, parseResourceVersion(again.lowestVersion) ?? 0n);
  }
  return toCurrentList(context, again);
}

/**
 * Lists again after a list below the watermark. Returns a list at or above it, or one below it that proves that the
 * versions went back: those of another resource type did too, or all responses of half a minute were below it. Returns
 * undefined if another task began a new incarnation meanwhile.
 */
async function listAgain(
  signal: AbortSignal,
  context: ResourceContext,
  namespaces: readonly string[],
  mark: bigint,
): Promise<Snapshot | undefined> {
  const { clock, kube, tuning, evidence, versions, resourceType } = context;
  const incarnation = versions.incarnationSignal;
  evidence.add(resourceType);
  for (;;) {
    await clock.sleep(signal, tuning.staleListDelayMs);
    const current = parseResourceVersion(await currentVersion(signal, kube, resourceType, namespaces[0]));
    const isReached = current === undefined || current >= mark;
    if (isReached) {
      evidence.remove(resourceType);
    } else {
      evidence.add(resourceType);
    }
    const isProved =
      !isReached &&
      (evidence.isShared(resourceType) || evidence.belowMs(resourceType) >= tuning.restoreProofMs);
    if (incarnation.aborted) {
      return undefined;
    }
    if (isReached || isProved) {
      const again = await listOnce(signal, context, namespaces);
      if (incarnation.aborted) {
        return undefined;
      }
      if (isProved || !isBelow(again, mark)) {
        return again;
      }
    }
  }
}

async function listOnce(
  signal: AbortSignal,
  { kube, resourceType, counters }: ResourceContext,
  namespaces: readonly string[],
): Promise<Snapshot> {
  const builder = new SnapshotBuilder();
  for (const namespace of namespaces) {
    let version = "";
    for await (const page of listPages(signal, kube, { resourceType, namespace, metadataOnly: true })) {
      version = page.version;
      for (const object of page.items) {
        const key = objectKeyOf(object);
        if (findKeyProblem(key) === undefined) {
          const { uid, resourceVersion } = carriedIdentity(object.metadata);
          builder.add(formatKey(key), { uid, resourceVersion, checksum: undefined });
        } else {
          builder.skip(escapeKey(key));
        }
      }
    }
    builder.endList(namespace, version);
  }
  counters.lists++;
  return builder.build();
}

function isBelow(snapshot: Snapshot, mark: bigint): boolean {
  return snapshot.isVersioned && (parseResourceVersion(snapshot.lowestVersion) ?? 0n) < mark;
}

function toCurrentList({ versions }: ResourceContext, snapshot: Snapshot): CurrentList {
  versions.observe(parseResourceVersion(snapshot.lowestVersion) ?? 0n);
  return { snapshot, incarnation: versions.incarnationSignal };
}
