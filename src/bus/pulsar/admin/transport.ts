/** A request to the admin API. */
export interface AdminRequest {
  readonly method: "GET" | "PUT" | "POST" | "DELETE";
  /** Path below `/admin/v2/`, such as `namespaces/evenkeel/main`. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  /** Body, sent as JSON; undefined: none. */
  readonly body?: unknown;
}

/** Sends requests to the admin API. */
export interface AdminTransport {
  /** URL of the broker, for errors. */
  readonly adminUrl: string;
  /**
   * Returns the body of the response. Rejects with an error of `admin-error.ts` for a status other than 2xx.
   */
  send(signal: AbortSignal, request: AdminRequest): Promise<string>;
}
