import type { ResourceType } from "../../gen/proto/evenkeel/v1/resource_pb.ts";

/**
 * A Kubernetes API server as the reflector sees it: a request goes in, a status and bytes come out.
 * Authentication and TLS are the adapter's.
 */
export interface KubeTransport {
  /**
   * Sends a GET request. Resolves with whatever status the server answers; rejects with `RetryableError` when
   * no answer came, and with the signal's reason when it aborts, also in the middle of the body.
   */
  get(signal: AbortSignal, request: KubeRequest): Promise<KubeResponse>;
}

/** A GET request. */
export interface KubeRequest {
  /** Path without query, such as `/api/v1/pods`. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  /** `Accept`; `application/json` unless set. */
  readonly accept?: string;
}

/** The answer to a request. The body must be read to its end or cancelled by the request's signal. */
export interface KubeResponse {
  readonly status: number;
  /** `Retry-After` in milliseconds, where the server sent one. */
  readonly retryAfterMs: number | undefined;
  readonly body: AsyncIterable<Uint8Array>;
}

/** URL path of a kind's objects, of those in one namespace, or of one object. */
export function resourcePath(resourceType: ResourceType, namespace = "", name = ""): string {
  const api =
    resourceType.group === ""
      ? `/api/${resourceType.version}`
      : `/apis/${resourceType.group}/${resourceType.version}`;
  const scope = namespace === "" ? "" : `/namespaces/${encodeURIComponent(namespace)}`;
  return `${api}${scope}/${resourceType.resource}${name === "" ? "" : `/${encodeURIComponent(name)}`}`;
}
