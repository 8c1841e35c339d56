import * as http from "node:http";
import * as https from "node:https";
import { pipeline } from "node:stream";
import { createGunzip } from "node:zlib";
import type { KubeConfig } from "@kubernetes/client-node";
import { ConfigError, RetryableError, toMessage } from "../lib/errors.ts";
import { hideCredentials } from "../lib/hide-credentials.ts";
import { sendHttpRequest } from "../lib/http-request.ts";
import { isLocalUrl } from "../lib/loopback.ts";
import { trimEnd } from "../lib/text.ts";
import { Credentials } from "./credentials.ts";
import type { KubeRequest, KubeResponse, KubeTransport } from "./kube.ts";
import { describeRequest } from "./read-response.ts";

/** A transport that keeps connections open. */
export interface HttpKubeTransport extends KubeTransport {
  /** Closes idle connections. Requests in progress end when their signals abort. */
  close(): void;
}

/**
 * Creates a transport over Node's http and https that keeps connections alive. It applies `config` to each
 * request, so that the library refreshes tokens (file, exec plugin or OIDC). After a 401, a plugin runs again, and the
 * request is sent once more. HTTPS_PROXY, HTTP_PROXY and NO_PROXY apply unless the kubeconfig has a `proxy-url`.
 *
 * @throws ConfigError if `config` has no current cluster.
 */
export function createKubeTransport(
  config: KubeConfig,
  environment: NodeJS.ProcessEnv = process.env,
): HttpKubeTransport {
  const cluster = config.getCurrentCluster();
  if (cluster === null) {
    throw new ConfigError("the kubeconfig has no current cluster; choose a context");
  }
  const server = trimEnd(cluster.server, "/");
  const credentials = new Credentials(config);
  // As in client-go, addresses of this machine need no proxy.
  const agentOptions = { keepAlive: true, ...(!isLocalUrl(server) && { proxyEnv: environment }) };
  const agents = createAgents(agentOptions);
  return {
    async get(signal, request) {
      signal.throwIfAborted();
      const url = new URL(`${server}${request.path}`);
      url.search = new URLSearchParams(request.query).toString();
      const { protocol } = url;
      if (protocol !== "http:" && protocol !== "https:") {
        throw new ConfigError(
          `the cluster's server must be an http or https URL, found ${hideCredentials(cluster.server)}`,
        );
      }
      const sendOnce = async () => {
        const { options, generation } = await authorize(credentials, request);
        // A `proxy-url` needs the library's own agent, which the library creates for each request.
        options.agent = cluster.proxyUrl === undefined ? agents[protocol] : options.agent;
        return { response: await send(signal, request, url, options), generation };
      };
      const { response, generation } = await sendOnce();
      if (response.status !== 401 || !credentials.renew(generation)) {
        return response;
      }
      await discard(response);
      return (await sendOnce()).response;
    },
    close() {
      agents["http:"].destroy();
      agents["https:"].destroy();
    },
  };
}

function createAgents(options: https.AgentOptions) {
  try {
    return { "http:": new http.Agent(options), "https:": new https.Agent(options) };
  } catch {
    // The message and the error of Node contain the proxy's password.
    throw new ConfigError("HTTPS_PROXY, HTTP_PROXY: expected a URL such as http://user:password@proxy:3128");
  }
}

async function authorize(credentials: Credentials, { accept }: KubeRequest) {
  const options: https.RequestOptions = { headers: {} };
  let generation: number;
  try {
    generation = await credentials.addTo(options);
  } catch (cause) {
    // The parser would quote what a plugin printed: a token.
    throw cause instanceof SyntaxError
      ? new RetryableError("authentication to the Kubernetes API failed: the plugin's output is not JSON")
      : new RetryableError(`authentication to the Kubernetes API failed: ${toMessage(cause)}`, { cause });
  }
  const headers = options.headers as http.OutgoingHttpHeaders;
  const all = { ...headers, Accept: accept ?? "application/json", "User-Agent": "evenkeel-agent" };
  return { options: { ...options, headers: all }, generation };
}

/** Ends a response that is not needed. */
async function discard({ body }: KubeResponse): Promise<void> {
  for await (const _ of body) {
    return;
  }
}

async function send(
  signal: AbortSignal,
  request: KubeRequest,
  url: URL,
  options: https.RequestOptions,
): Promise<KubeResponse> {
  try {
    const incoming = await sendHttpRequest(signal, url, options);
    return {
      status: incoming.statusCode ?? 0,
      retryAfterMs: parseRetryAfter(incoming.headers["retry-after"]),
      contentType: incoming.headers["content-type"],
      body: readBody(signal, request, incoming),
    };
  } catch (cause) {
    throw translate(cause, signal, request);
  }
}

async function* readBody(
  signal: AbortSignal,
  request: KubeRequest,
  incoming: http.IncomingMessage,
): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    // No request asks for it, but gateways compress nevertheless.
    const isCompressed = incoming.headers["content-encoding"] === "gzip";
    // The reader gets the errors of both streams from the second one.
    const content = isCompressed ? pipeline(incoming, createGunzip(), () => {}) : incoming;
    yield* content as AsyncIterable<Uint8Array>;
  } catch (cause) {
    throw translate(cause, signal, request);
  } finally {
    incoming.destroy();
  }
}

function translate(cause: unknown, signal: AbortSignal, request: KubeRequest): unknown {
  return signal.aborted
    ? signal.reason
    : new RetryableError(`${describeRequest(request)}: ${toMessage(cause)}`, { cause });
}

/** Longest accepted delay, one day: a longer one is treated as an error of the server. */
const MAX_MS = 24 * 60 * 60 * 1000;

/**
 * Returns `Retry-After` in milliseconds, at most one day; undefined if the header is absent or not a number
 * of seconds. RFC 9110, section 10.2.3, also allows a date, but the API server sends none, and a date would
 * require equal clocks.
 */
export function parseRetryAfter(header: string | undefined): number | undefined {
  return header !== undefined && /^\d{1,9}$/.test(header)
    ? Math.min(Number(header) * 1000, MAX_MS)
    : undefined;
}
