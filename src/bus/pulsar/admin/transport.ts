/** A request to the admin API. */
export interface AdminRequest {
  readonly method: "GET" | "PUT" | "POST" | "DELETE";
  /** Below `/admin/v2/`, such as `namespaces/evenkeel/main`. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  /** Sent as JSON; none when undefined. */
  readonly body?: unknown;
}

/** Sends requests to the admin API. */
export interface AdminTransport {
  /** Of the broker, for people. */
  readonly adminUrl: string;
  /** The answer's body. Throws what `admin-error.ts` makes of a status that is no success. */
  send(signal: AbortSignal, request: AdminRequest): Promise<string>;
}
