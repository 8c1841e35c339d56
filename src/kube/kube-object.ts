import type { ObjectKey } from "../domain/object-key.ts";
import { MalformedResponseError } from "./kube-error.ts";

/** The metadata of an object that the agent reads. */
export interface ObjectMeta {
  readonly name: string;
  /** Absent for cluster-scoped objects. */
  readonly namespace?: string;
  /** Absent or empty for objects of some aggregated APIs. */
  readonly uid?: string;
  /** Absent or empty for objects of some aggregated APIs. */
  readonly resourceVersion?: string;
  readonly [field: string]: unknown;
}

/** An object as the API server sends it, with exact numbers. */
export interface KubeObject {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata: ObjectMeta;
  readonly [field: string]: unknown;
}

/** Fields of the metadata that are texts if they are present. */
const OPTIONAL_TEXTS = ["namespace", "uid", "resourceVersion"] as const;

/**
 * Returns a parsed value as an object; `what` names the request.
 *
 * @throws MalformedResponseError if the value has no name, or a namespace, uid or version that is not a text.
 */
export function toKubeObject(value: unknown, what: string): KubeObject {
  const metadata = isRecord(value) ? value["metadata"] : undefined;
  if (!isRecord(metadata) || typeof metadata["name"] !== "string") {
    throw new MalformedResponseError(`${what}: expected an object with metadata.name`);
  }
  for (const field of OPTIONAL_TEXTS) {
    const text = metadata[field] ?? "";
    if (typeof text !== "string") {
      throw new MalformedResponseError(
        `${what}: ${JSON.stringify(metadata["name"])}: expected a text in metadata.${field}, ` +
          `found ${typeof text}`,
      );
    }
  }
  return value as KubeObject;
}

/** Returns the key of an object. */
export function objectKeyOf({ metadata }: KubeObject): ObjectKey {
  return { namespace: metadata.namespace ?? "", name: metadata.name };
}

/** True if the value is an object with fields. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
