import type { ResourceType } from "../../gen/proto/evenkeel/v1/resource_pb.ts";

/**
 * Access to a Kubernetes API server: it takes a request and returns a status and bytes. The adapter is
 * responsible for authentication and TLS.
 */
export interface KubeTransport {
  /**
   * Sends a GET request. Resolves for every status of the response. Rejects with `RetryableError` if no
   * response arrives, and with the signal's reason if it aborts, also while the body is read.
   */
  get(signal: AbortSignal, request: KubeRequest): Promise<KubeResponse>;
}

/** A GET request. */
export interface KubeRequest {
  /** Path without query, such as `/api/v1/pods`. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  /** Value of `Accept`; default `application/json`. */
  readonly accept?: string;
}

/** The response to a request. The caller must read the body to its end, or abort the request's signal. */
export interface KubeResponse {
  readonly status: number;
  /** Value of `Retry-After` in milliseconds; undefined if the server sent none. */
  readonly retryAfterMs: number | undefined;
  /** Value of `Content-Type`; unset if the server sent none. */
  readonly contentType?: string | undefined;
  readonly body: AsyncIterable<Uint8Array>;
}

/** Returns the URL path of all objects of a resource type, of those in one namespace, or of one object. */
export function resourcePath(resourceType: ResourceType, namespace = "", name = ""): string {
  const api =
    resourceType.group === ""
      ? `/api/${resourceType.version}`
      : `/apis/${resourceType.group}/${resourceType.version}`;
  const scope = namespace === "" ? "" : `/namespaces/${encodeURIComponent(namespace)}`;
  return `${api}${scope}/${resourceType.resource}${name === "" ? "" : `/${encodeURIComponent(name)}`}`;
}
