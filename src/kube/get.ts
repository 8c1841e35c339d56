import type { ResourceType } from "../../gen/proto/evenkeel/v1/resource_pb.ts";
import { parseExact } from "../domain/canonical-json.ts";
import type { ObjectKey } from "../domain/object-key.ts";
import { type KubeTransport, resourcePath } from "./kube.ts";
import { KubeRefusedError } from "./kube-error.ts";
import { type KubeObject, toKubeObject } from "./kube-object.ts";
import { getJson } from "./read-response.ts";

/**
 * Returns one object, with exact numbers; undefined if it does not exist (404). Rejects on any other failure.
 */
export async function getObject(
  signal: AbortSignal,
  transport: KubeTransport,
  resourceType: ResourceType,
  { namespace, name }: ObjectKey,
): Promise<KubeObject | undefined> {
  const path = resourcePath(resourceType, namespace, name);
  try {
    return toKubeObject(await getJson(signal, transport, { path }, parseExact), `GET ${path}`);
  } catch (error) {
    if (error instanceof KubeRefusedError && error.status === 404) {
      return undefined;
    }
    throw error;
  }
}
