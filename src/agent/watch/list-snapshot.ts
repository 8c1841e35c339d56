import { formatKey } from "../../domain/object-key.ts";
import { formatKind } from "../../domain/resource-type.ts";
import { parseVersion } from "../../domain/resource-version.ts";
import { listPages } from "../../kube/list.ts";
import type { KindContext } from "../resource-context.ts";
import { type KindSnapshot, KindSnapshotBuilder } from "./snapshot.ts";

/**
 * Lists a kind in these namespaces ("" is all), linearizably, metadata only.
 *
 * A list below the kind's high-water mark is refused, because an API server that lags may have given it. It
 * is taken again after a short delay, and again it can only be that low when the versions themselves went
 * back (an etcd restored from a backup): then a new incarnation begins. The mark is taken before the request,
 * since the watch goes on meanwhile.
 */
export async function listSnapshot(
  signal: AbortSignal,
  context: KindContext,
  namespaces: readonly string[],
): Promise<KindSnapshot> {
  const mark = context.timeline.highWaterMark;
  const before = context.timeline.current;
  const snapshot = await listOnce(signal, context, namespaces);
  if (!isBelow(snapshot, mark)) {
    return observed(context, snapshot);
  }
  const { clock, log, config, timeline, kind } = context;
  log.warn("list below the high-water mark refused", {
    kind: formatKind(kind),
    version: snapshot.floor,
    mark,
  });
  await clock.sleep(signal, config.staleListDelayMs);
  const again = await listOnce(signal, context, namespaces);
  if (isBelow(again, mark) && timeline.current === before) {
    const incarnation = context.epoch();
    log.warn("versions went back: a new incarnation begins", {
      kind: formatKind(kind),
      version: again.floor,
      mark,
      incarnation,
    });
    timeline.restart(incarnation, parseVersion(again.floor) ?? 0n);
  }
  return observed(context, again);
}

async function listOnce(
  signal: AbortSignal,
  { kube, kind, counters }: KindContext,
  namespaces: readonly string[],
): Promise<KindSnapshot> {
  const builder = new KindSnapshotBuilder();
  for (const namespace of namespaces) {
    let version = "";
    for await (const page of listPages(signal, kube, { kind, namespace, metadataOnly: true })) {
      version = page.version;
      for (const { metadata } of page.items) {
        const key = formatKey({ namespace: metadata.namespace ?? "", name: metadata.name });
        builder.add(key, { uid: metadata.uid, version: metadata.resourceVersion, checksum: undefined });
      }
    }
    builder.endList(namespace, version);
  }
  counters.lists++;
  return builder.build();
}

function isBelow(snapshot: KindSnapshot, mark: bigint): boolean {
  return snapshot.versioned && (parseVersion(snapshot.floor) ?? 0n) < mark;
}

function observed({ timeline }: KindContext, snapshot: KindSnapshot): KindSnapshot {
  timeline.observe(parseVersion(snapshot.floor) ?? 0n);
  return snapshot;
}
