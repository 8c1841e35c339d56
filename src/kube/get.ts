import type { ResourceType } from "../../gen/proto/evenkeel/v1/resource_pb.ts";
import { parseExact } from "../domain/canonical-json.ts";
import type { ObjectKey } from "../domain/object-key.ts";
import { type KubeResponse, type KubeTransport, resourcePath } from "./kube.ts";
import { MalformedResponseError, UnprovenAbsenceError } from "./kube-error.ts";
import { isRecord, type KubeObject, toKubeObject } from "./kube-object.ts";
import {
  assertOk,
  describeRequest,
  parseAnswer,
  parseErrorBody,
  readBeginning,
  readText,
} from "./read-response.ts";

/**
 * Returns one object, with exact numbers; undefined if the API server proves that it does not exist: by a
 * `Status` with reason NotFound that names it.
 *
 * @throws UnprovenAbsenceError for any other 404.
 * @throws MalformedResponseError for another object than the requested one.
 * @throws KubeRefusedError or KubeUnavailableError for any other status.
 */
export async function getObject(
  signal: AbortSignal,
  transport: KubeTransport,
  resourceType: ResourceType,
  { namespace, name }: ObjectKey,
): Promise<KubeObject | undefined> {
  const request = { path: resourcePath(resourceType, namespace, name) };
  const what = describeRequest(request);
  const response = await transport.get(signal, request);
  if (response.status === 404) {
    await assertNotFound(response, what, name);
    return undefined;
  }
  await assertOk(request, response);
  const object = toKubeObject(parseAnswer(await readText(response.body, what), what, parseExact), what);
  const found = object.metadata;
  if (found.name !== name || (found.namespace ?? "") !== namespace) {
    throw new MalformedResponseError(
      `${what}: expected the requested object, found ` +
        JSON.stringify(`${found.namespace ?? ""}/${found.name}`),
    );
  }
  return object;
}

async function assertNotFound(
  { body, contentType }: KubeResponse,
  what: string,
  name: string,
): Promise<void> {
  const status = parseErrorBody(await readBeginning(body));
  const { kind, reason, code, details } = (isRecord(status) ? status : {}) as Record<string, unknown>;
  const isProof =
    kind === "Status" &&
    reason === "NotFound" &&
    code === 404 &&
    isRecord(details) &&
    details["name"] === name;
  if (!isProof) {
    throw new UnprovenAbsenceError(
      `${what}: expected the object or a Status NotFound that names it, found another 404 with content type ` +
        `${JSON.stringify(contentType ?? "")}; check the gateway in front of the API server`,
    );
  }
}
