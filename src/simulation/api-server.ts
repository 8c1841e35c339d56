import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { waitFor } from "../lib/abort.ts";
import type { Log } from "../lib/log.ts";
import { type ApiResponse, answer } from "./api/api-handler.ts";
import type { SimulatedCluster } from "./simulated-cluster.ts";

/** A listening API server. Disposing it breaks all connections and waits for them. */
export interface ApiServer extends AsyncDisposable {
  /** Such as `http://127.0.0.1:40123`. */
  readonly url: string;
}

/** How to create an {@link ApiServer}. */
export interface ApiServerOptions {
  readonly cluster: SimulatedCluster;
  readonly log: Log;
  /** Port on the loopback interface; a free one unless set. */
  readonly port?: number;
}

/**
 * Serves a simulated cluster over HTTP/1.1 on 127.0.0.1, without TLS or authentication: `kubectl --server=URL` and
 * any Kubernetes client can read it.
 */
export async function createApiServer(
  signal: AbortSignal,
  { cluster, log, port = 0 }: ApiServerOptions,
): Promise<ApiServer> {
  const closing = new AbortController();
  const answers = new Set<Promise<void>>();
  const server = createServer((request, response) => {
    const answered = handle(closing.signal, cluster, request, response)
      .catch((error: unknown) => {
        // What breaks a connection is the client, a fault that was asked for, or the end; only the rest is news.
        if (!response.destroyed && !closing.signal.aborted) {
          log.error("the simulated API server failed to answer", { error });
        }
        response.destroy();
      })
      .finally(() => answers.delete(answered));
    answers.add(answered);
  });
  server.listen(port, "127.0.0.1");
  await once(server, "listening", { signal });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      closing.abort(new Error("the simulated API server is closing"));
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await Promise.all([closed, ...answers]);
    },
  };
}

async function handle(
  signal: AbortSignal,
  cluster: SimulatedCluster,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const url = new URL(request.url ?? "/", "http://localhost");
  const answered = answer(cluster, {
    method: request.method ?? "GET",
    path: url.pathname,
    query: url.searchParams,
    accept: request.headers.accept,
  });
  switch (answered.type) {
    case "text": {
      const { retryAfterSeconds } = answered;
      if (retryAfterSeconds !== undefined) {
        response.setHeader("retry-after", retryAfterSeconds);
      }
      response.writeHead(answered.status, { "content-type": answered.contentType });
      response.end(answered.text);
      return;
    }
    case "stream":
      return stream(signal, answered, response);
    default:
      answered satisfies never;
  }
}

/** Writes lines as fast as the client takes them; a client that has gone, or is cut off, ends it at once. */
async function stream(
  signal: AbortSignal,
  { subscription, lines }: Extract<ApiResponse, { type: "stream" }>,
  response: ServerResponse,
): Promise<void> {
  using _joined = subscription;
  const gone = new AbortController();
  response.once("close", () => gone.abort(new Error("the client has gone")));
  const until = AbortSignal.any([signal, gone.signal, subscription.cut]);
  response.writeHead(200, { "content-type": "application/json" });
  response.flushHeaders();
  for await (const line of lines(until)) {
    if (!response.write(line)) {
      await waitFor(until, once(response, "drain", { signal: until }));
    }
  }
  response.end();
}
