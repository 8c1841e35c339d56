import { formatKey, parseKey } from "../../domain/object-key.ts";
import { maxVersion, parseResourceVersion } from "../../domain/resource-version.ts";
import { getObject } from "../../kube/get.ts";
import { MalformedResponseError } from "../../kube/kube-error.ts";
import type { KubeObject } from "../../kube/kube-object.ts";
import { listPages } from "../../kube/list.ts";
import type { ResourceContext } from "../resource-context.ts";
import type { Snapshot } from "./snapshot.ts";

/** An object with the version at which it was seen so; empty for a kind whose versions do not compare. */
export interface ObservedObject {
  readonly key: string;
  readonly object: KubeObject;
  readonly observedVersion: string;
}

/** Positions in a snapshot. */
export interface WantedObjects {
  readonly snapshot: Snapshot;
  /** 1 for each position whose object is wanted. */
  readonly wanted: Uint8Array;
  readonly count: number;
}

/** Reading pages costs less than single objects only when it does not read ten times as many. */
const MIN_SHARE = 0.1;

/**
 * Reads the contents of those objects of a snapshot that are wanted: each by itself when they are few, else
 * by listing the kind.
 *
 * An object read by itself is observed at the greater of the list's version and its own; one of a page at
 * that list's version. One that is not there any more is left out: nothing is said about it, the watch will.
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
        throw new MalformedResponseError(`a list at version ${page.version} after one at version ${known}`);
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

/** The later of a list's version and an object's own; empty when the kind's do not compare. */
function later(listVersion: string, ownVersion: string): string {
  const [list, own] = [parseResourceVersion(listVersion), parseResourceVersion(ownVersion)];
  return list === undefined ? "" : String(maxVersion(list, own ?? 0n));
}
