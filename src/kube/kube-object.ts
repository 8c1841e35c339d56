import { MalformedResponseError } from "./kube-error.ts";

/** The metadata of an object that the agent reads. */
export interface ObjectMeta {
  readonly name: string;
  /** Absent for cluster-scoped objects. */
  readonly namespace?: string;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly [field: string]: unknown;
}

/** An object as the API server sends it, with exact numbers. */
export interface KubeObject {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata: ObjectMeta;
  readonly [field: string]: unknown;
}

/**
 * Returns a parsed value as an object; `what` names the request.
 *
 * @throws MalformedResponseError if the value has no name or no resource version.
 */
export function toKubeObject(value: unknown, what: string): KubeObject {
  const metadata = isRecord(value) ? value["metadata"] : undefined;
  if (!isRecord(metadata) || typeof metadata["name"] !== "string") {
    throw new MalformedResponseError(`${what}: expected an object with metadata.name`);
  }
  if (typeof metadata["resourceVersion"] !== "string") {
    throw new MalformedResponseError(`${what}: ${metadata["name"]} has no metadata.resourceVersion`);
  }
  // Objects of some aggregated APIs (such as metrics) have no uid.
  return typeof metadata["uid"] === "string"
    ? (value as KubeObject)
    : ({ ...(value as object), metadata: { ...metadata, uid: "" } } as unknown as KubeObject);
}

/** True if the value is an object with fields. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
