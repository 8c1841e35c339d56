import { readFileSync } from "node:fs";
import type * as http from "node:http";
import type * as https from "node:https";
import { text } from "node:stream/consumers";
import * as z from "zod/mini";
import type { Clock } from "../../../lib/clock.ts";
import { ConfigError, NotFoundError, RetryableError, toMessage } from "../../../lib/errors.ts";
import { sendHttpRequest } from "../../../lib/http-request.ts";
import { trimEnd } from "../../../lib/text.ts";
import { toAdminError, toReason } from "./admin-error.ts";

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

/** Address and credentials of the admin API. */
export interface AdminEndpoint {
  /** Base URL, such as `https://broker:8443`. */
  readonly adminUrl: string;
  /** Returns the current token; called for each request. Unset: requests have no token. */
  readonly readToken?: (() => string) | undefined;
  /** PEM file of the authorities to trust for the broker's certificate; unset: those that Node trusts. */
  readonly trustCertsFile?: string | undefined;
}

interface AdminResponse {
  readonly status: number;
  readonly location: string | undefined;
  readonly body: string;
}

/** Time limit of a request, in milliseconds: long enough for a broker that must load a topic first. */
const TIMEOUT_MS = 30_000;

/** Maximum redirects: a broker redirects a request to the broker that owns the topic. */
const MAX_REDIRECTS = 5;

/**
 * Creates a transport over Node's http and https. `fetch` is not suitable: it has no option for trusted
 * certificates, and it drops the token when a broker redirects the request to another one, which needs the
 * token too.
 */
export function createAdminTransport(endpoint: AdminEndpoint, clock: Clock): AdminTransport {
  const { adminUrl, readToken, trustCertsFile } = endpoint;
  const ca = trustCertsFile === undefined ? {} : { ca: readCertificates(trustCertsFile) };
  return {
    adminUrl,

    async send(signal, adminRequest) {
      const what = `${adminRequest.method} ${adminRequest.path} of Pulsar at ${adminUrl}`;
      using deadline = clock.deadline(signal, TIMEOUT_MS);
      let url = toUrl(adminUrl, adminRequest);
      for (let redirects = 0; redirects <= MAX_REDIRECTS; redirects++) {
        const headers = toHeaders(adminRequest, readToken?.());
        const options = { ...ca, method: adminRequest.method, headers, agent: false };
        const response = await request(deadline.signal, url, options, adminRequest).catch((cause) => {
          signal.throwIfAborted();
          throw new RetryableError(
            `${what}: no response (${toMessage(cause)}); ` +
              "check that it is running and that this is the URL of its admin API",
            { cause },
          );
        });
        if (response.location === undefined) {
          return bodyOf(what, response);
        }
        url = new URL(response.location, url);
      }
      throw new RetryableError(`${what}: redirected more than ${MAX_REDIRECTS} times, last to ${url.host}`);
    },
  };
}

async function request(
  signal: AbortSignal,
  url: URL,
  options: https.RequestOptions,
  { body }: AdminRequest,
): Promise<AdminResponse> {
  const incoming = await sendHttpRequest(
    signal,
    url,
    options,
    body === undefined ? undefined : JSON.stringify(body),
  );
  const status = incoming.statusCode ?? 0;
  return {
    status,
    location: status >= 300 && status < 400 ? incoming.headers.location : undefined,
    body: await text(incoming),
  };
}

function toUrl(adminUrl: string, { path, query }: AdminRequest): URL {
  const url = new URL(`${trimEnd(adminUrl, "/")}/admin/v2/${path}`);
  url.search = new URLSearchParams(query).toString();
  return url;
}

function toHeaders({ body }: AdminRequest, token: string | undefined): http.OutgoingHttpHeaders {
  return {
    accept: "application/json",
    ...(body !== undefined && { "content-type": "application/json" }),
    ...(token !== undefined && { authorization: `Bearer ${token}` }),
  };
}

function bodyOf(what: string, { status, body }: AdminResponse): string {
  if (status < 200 || status >= 300) {
    throw toAdminError(what, status, toReason(body));
  }
  return body;
}

function readCertificates(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    throw new ConfigError(`the file of trusted certificates ${path} cannot be read: ${toMessage(cause)}`, {
      cause,
    });
  }
}

/**
 * Reads JSON and validates it by `schema`. The schema receives undefined for an empty response.
 *
 * @throws RetryableError if the response is not JSON or does not match the schema.
 */
export async function readJson<T extends z.ZodMiniType>(
  signal: AbortSignal,
  transport: AdminTransport,
  schema: T,
  { path, query = {} }: Pick<AdminRequest, "path" | "query">,
): Promise<z.infer<T>> {
  const body = await transport.send(signal, { method: "GET", path, query });
  const what = `GET ${path} of Pulsar at ${transport.adminUrl}`;
  const result = schema.safeParse(parse(what, body));
  if (!result.success) {
    const problems = z.prettifyError(result.error);
    throw new RetryableError(`${what}: the response is not as expected: ${problems}`);
  }
  return result.data;
}

function parse(what: string, body: string): unknown {
  try {
    return body.trim() === "" ? undefined : JSON.parse(body);
  } catch (cause) {
    throw new RetryableError(`${what}: expected JSON, found ${JSON.stringify(body.slice(0, 100))}`, {
      cause,
    });
  }
}

/** Returns the result of `read`; undefined if it rejects with `NotFoundError`. */
export async function undefinedIfAbsent<T>(read: () => Promise<T>): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof NotFoundError) {
      return undefined;
    }
    throw error;
  }
}
