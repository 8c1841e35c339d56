import { formatKey, parseKey } from "../../domain/object-key.ts";
import { maxVersion, parseResourceVersion } from "../../domain/resource-version.ts";
import { getObject } from "../../kube/get.ts";
import { MalformedResponseError } from "../../kube/kube-error.ts";
import type { KubeObject } from "../../kube/kube-object.ts";
import { listPages } from "../../kube/list.ts";
import type { ResourceContext } from "../resource-context.ts";
import type { Snapshot } from "./snapshot.ts";

/** An object with its observed version, which is empty for a resource type whose versions do not compare. */
export interface ObservedObject {
  readonly key: string;
  readonly object: KubeObject;
  readonly observedVersion: string;
}

/** Selection of objects in a snapshot. */
export interface WantedObjects {
  readonly snapshot: Snapshot;
  /** 1 at the index of each selected object. */
  readonly wanted: Uint8Array;
  readonly count: number;
}

/**
 * Least share of selected objects at which pages cost less than single reads: pages read ten times as many
 * objects.
 */
const MIN_SHARE = 0.1;

/**
 * Reads the contents of the selected objects of a snapshot: one by one if they are few, otherwise by a list
 * of the resource type.
 *
 * The observed version of a single object is the greater of the list's version and its own; that of a listed
 * object is its list's version. An object that no longer exists is omitted: the watch reports its end.
 */
export async function* readContents(
  signal: AbortSignal,
  context: ResourceContext,
  objects: WantedObjects,
): AsyncGenerator<ObservedObject, void, undefined> {
  const { snapshot, count } = objects;
  const many = count > context.tuning.maxSingleReads && count > snapshot.size * MIN_SHARE;
  yield* many ? readPages(signal, context, objects) : readSingly(signal, context, objects);
}

async function* readSingly(
  signal: AbortSignal,
  { kube, resourceType }: ResourceContext,
  { snapshot, wanted }: WantedObjects,
): AsyncGenerator<ObservedObject, void, undefined> {
  for (let at = wanted.indexOf(1); at >= 0; at = wanted.indexOf(1, at + 1)) {
    const key = snapshot.keyAt(at);
    const objectKey = parseKey(key);
    const object = objectKey && (await getObject(signal, kube, resourceType, objectKey));
    if (objectKey !== undefined && object !== undefined) {
      const observedVersion = later(
        snapshot.versionFor(objectKey.namespace),
        object.metadata.resourceVersion,
      );
      yield { key, object, observedVersion };
    }
  }
}

async function* readPages(
  signal: AbortSignal,
  { kube, resourceType, versions }: ResourceContext,
  { snapshot, wanted }: WantedObjects,
): AsyncGenerator<ObservedObject, void, undefined> {
  for (const namespace of snapshot.namespaces) {
    const known = parseResourceVersion(snapshot.versionFor(namespace)) ?? 0n;
    for await (const page of listPages(signal, kube, { resourceType, namespace, metadataOnly: false })) {
      const version = parseResourceVersion(page.version);
      if (snapshot.isVersioned && (version === undefined || version < known)) {
        throw new MalformedResponseError(`list: expected version ${known} or higher, found ${page.version}`);
      }
      versions.observe(version ?? 0n);
      for (const object of page.items) {
        const key = formatKey({ namespace: object.metadata.namespace ?? "", name: object.metadata.name });
        const index = snapshot.find(key);
        if (index !== undefined && wanted[index] === 1) {
          yield { key, object, observedVersion: snapshot.isVersioned ? page.version : "" };
        }
      }
    }
  }
}

/** Returns the greater of a list's version and the object's own; empty if the versions do not compare. */
function later(listVersion: string, ownVersion: string): string {
  const [list, own] = [parseResourceVersion(listVersion), parseResourceVersion(ownVersion)];
  return list === undefined ? "" : String(maxVersion(list, own ?? 0n));
}
