import { MalformedResponseError } from "./kube-error.ts";

/** The metadata that the agent reads of an object. */
export interface ObjectMeta {
  readonly name: string;
  /** Absent for objects of cluster scope. */
  readonly namespace?: string;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly [field: string]: unknown;
}

/** An object as the API server gives it, each number exact. */
export interface KubeObject {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata: ObjectMeta;
  readonly [field: string]: unknown;
}

/** Takes a parsed value for an object; throws {@link MalformedResponseError} when it has no name or version. */
export function toKubeObject(value: unknown, what: string): KubeObject {
  const metadata = isRecord(value) ? value["metadata"] : undefined;
  if (!isRecord(metadata) || typeof metadata["name"] !== "string") {
    throw new MalformedResponseError(`${what}: expected an object with metadata.name`);
  }
  if (typeof metadata["resourceVersion"] !== "string") {
    throw new MalformedResponseError(`${what}: ${metadata["name"]} has no metadata.resourceVersion`);
  }
  // Some aggregated APIs (such as metrics) give their objects no uid.
  return typeof metadata["uid"] === "string"
    ? (value as KubeObject)
    : ({ ...(value as object), metadata: { ...metadata, uid: "" } } as unknown as KubeObject);
}

/** Whether the value is an object with fields. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
