import * as http from "node:http";
import * as https from "node:https";
import type { KubeConfig } from "@kubernetes/client-node";
import { ConfigError, RetryableError, toMessage } from "../lib/errors.ts";
import { sendHttpRequest } from "../lib/http-request.ts";
import { trimEnd } from "../lib/trim-end.ts";
import type { KubeRequest, KubeResponse, KubeTransport } from "./kube.ts";
import { describeRequest } from "./read-response.ts";

/** A transport that holds connections. */
export interface HttpKubeTransport extends KubeTransport {
  /** Closes idle connections; requests under way end with their signals. */
  close(): void;
}

/**
 * A transport over Node's http and https, with connections kept alive. `config` gives authentication and TLS
 * for each request, so tokens are refreshed (by file, exec plugin or OIDC) as its library does.
 */
export function createKubeTransport(config: KubeConfig): HttpKubeTransport {
  const cluster = config.getCurrentCluster();
  if (cluster === null) {
    throw new ConfigError("the kubeconfig has no current cluster: choose a context");
  }
  const server = trimEnd(cluster.server, "/");
  const agents = {
    "http:": new http.Agent({ keepAlive: true }),
    "https:": new https.Agent({ keepAlive: true }),
  };
  return {
    async get(signal, request) {
      signal.throwIfAborted();
      const url = new URL(`${server}${request.path}`);
      url.search = new URLSearchParams(request.query).toString();
      const options = await authorize(config, request);
      const { protocol } = url;
      if (protocol !== "http:" && protocol !== "https:") {
        throw new ConfigError(`the cluster's server is ${cluster.server}: expected http or https`);
      }
      // A proxy needs the library's own agent; it is made anew for each request.
      options.agent = cluster.proxyUrl === undefined ? agents[protocol] : options.agent;
      return await send(signal, request, url, options);
    },
    close() {
      agents["http:"].destroy();
      agents["https:"].destroy();
    },
  };
}

async function authorize(config: KubeConfig, { accept }: KubeRequest): Promise<https.RequestOptions> {
  const options: https.RequestOptions = { headers: {} };
  try {
    await config.applyToHTTPSOptions(options);
  } catch (cause) {
    throw new RetryableError(`cannot authenticate to the Kubernetes API: ${toMessage(cause)}`, { cause });
  }
  const headers = options.headers as http.OutgoingHttpHeaders;
  return {
    ...options,
    headers: { ...headers, Accept: accept ?? "application/json", "User-Agent": "evenkeel-agent" },
  };
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
    yield* incoming as AsyncIterable<Uint8Array>;
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

/** A day: a server that says more is not believed. */
const MAX_MS = 24 * 60 * 60 * 1000;

/**
 * `Retry-After` in milliseconds, where it is a number of seconds. The API server sends no dates (RFC 9110,
 * 10.2.3, allows them), and a date would need the two clocks to agree.
 */
export function parseRetryAfter(header: string | undefined): number | undefined {
  return header !== undefined && /^\d{1,9}$/.test(header)
    ? Math.min(Number(header) * 1000, MAX_MS)
    : undefined;
}
