import { formatKey } from "../../domain/object-key.ts";
import { resourceTypeKey } from "../../domain/resource-type.ts";
import { parseResourceVersion } from "../../domain/resource-version.ts";
import { objectKeyOf } from "../../kube/kube-object.ts";
import { listPages } from "../../kube/list.ts";
import { RetryableError } from "../../lib/errors.ts";
import { carriedIdentity, escapeKey, findKeyProblem } from "../representation.ts";
import type { ResourceContext } from "../resource-context.ts";
import { type Snapshot, SnapshotBuilder } from "./snapshot.ts";

/**
 * Lists a resource type in these namespaces ("" for all), linearizably, metadata only.
 *
 * A list below the high watermark is refused, because a lagging API server may have served it, and is
 * repeated after a short delay. If the second list is below it too, the versions themselves went back (an
 * etcd restored from a backup), and a new incarnation begins. The watermark is read before the request,
 * because the watch advances it meanwhile.
 *
 * The incarnation is the epoch of the session. A resource type that has used it already ends the session.
 *
 * @throws RetryableError after it has ended the session.
 */
export async function listSnapshot(
  signal: AbortSignal,
  context: ResourceContext,
  namespaces: readonly string[],
): Promise<Snapshot> {
  const mark = context.versions.highWatermark;
  const before = context.versions.incarnationSignal;
  const snapshot = await listOnce(signal, context, namespaces);
  if (!isBelow(snapshot, mark)) {
    return observed(context, snapshot);
  }
  const { clock, log, failures, tuning, versions } = context;
  const resourceType = resourceTypeKey(context.resourceType);
  // An etcd restore affects all resource types, which share a line; their versions are details.
  failures.noticed("staleList", resourceType);
  log.debug("list below the high watermark refused", { resourceType, version: snapshot.lowestVersion, mark });
  await clock.sleep(signal, tuning.staleListDelayMs);
  const again = await listOnce(signal, context, namespaces);
  if (isBelow(again, mark) && versions.incarnationSignal === before) {
    const incarnation = context.epoch();
    if (versions.incarnation === incarnation) {
      const reason = `${resourceType}: versions went back a second time in one session`;
      context.renewSession(incarnation, reason);
      throw new RetryableError(`${reason}; the next session begins a new incarnation`);
    }
    failures.noticed("incarnation", resourceType);
    log.debug("new incarnation begun", { resourceType, version: again.lowestVersion, mark, incarnation });
    versions.restart(incarnation, parseResourceVersion(again.lowestVersion) ?? 0n);
  }
  return observed(context, again);
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

function observed({ versions }: ResourceContext, snapshot: Snapshot): Snapshot {
  versions.observe(parseResourceVersion(snapshot.lowestVersion) ?? 0n);
  return snapshot;
}
