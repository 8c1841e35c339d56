import { formatKey, type ObjectKey } from "../../domain/object-key.ts";
import { parseResourceVersion } from "../../domain/resource-version.ts";
import { getObject } from "../../kube/get.ts";
import { StaleReadError } from "../../kube/kube-error.ts";
import type { KubeObject } from "../../kube/kube-object.ts";
import type { ResourceContext } from "../resource-context.ts";

/**
 * Reads an object that a list or a watch has shown in this version; undefined if it does not exist.
 *
 * @throws StaleReadError for an older version, such as from a cache in front of the API server. It may be that of an
 * object that was deleted since, and would return its row.
 * @throws the errors of {@link getObject}.
 */
export async function readCurrent(
  signal: AbortSignal,
  { kube, resourceType }: Pick<ResourceContext, "kube" | "resourceType">,
  key: ObjectKey,
  shownVersion: string,
): Promise<KubeObject | undefined> {
  const object = await getObject(signal, kube, resourceType, key);
  const shown = parseResourceVersion(shownVersion);
  const found = parseResourceVersion(object?.metadata.resourceVersion ?? "");
  if (shown !== undefined && found !== undefined && found < shown) {
    throw new StaleReadError(
      `get of ${formatKey(key)}: expected version ${shown} or higher, found ${found}; a cache may have answered`,
    );
  }
  return object;
}
