import type { ResourceType } from "../../gen/proto/evenkeel/v1/resource_pb.ts";
import { parseExact } from "../domain/canonical-json.ts";
import type { ObjectKey } from "../domain/object-key.ts";
import { type KubeTransport, resourcePath } from "./kube.ts";
import { KubeRefusedError } from "./kube-error.ts";
import { type KubeObject, toKubeObject } from "./kube-object.ts";
import { getJson } from "./read-response.ts";

/** Gets one object, each number exact; undefined when there is none (404). Any other failure throws. */
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
