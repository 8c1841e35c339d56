import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { waitFor } from "../lib/abort.ts";
import type { Log } from "../lib/log.ts";
import { findForeignOrigin } from "../lib/loopback.ts";
import { type ApiResponse, answer } from "./api/api-handler.ts";
import type { SimulatedCluster } from "./simulated-cluster.ts";

/** A listening API server. Disposal closes all connections and waits for their end. */
export interface ApiServer extends AsyncDisposable {
  /** URL such as `http://127.0.0.1:40123`. */
  readonly url: string;
}

export interface ApiServerOptions {
  readonly cluster: SimulatedCluster;
  readonly log: Log;
  /** Port on the loopback interface; unset: any free port. */
  readonly port?: number;
}

/**
 * Serves a simulated cluster over HTTP/1.1 on 127.0.0.1, without TLS and authentication. `kubectl --server=URL` and any
 * Kubernetes client can read it. Pages of other sites are refused.
 */
export async function createApiServer(
  signal: AbortSignal,
  { cluster, log, port = 0 }: ApiServerOptions,
): Promise<ApiServer> {
  const closing = new AbortController();
  const answers = new Set<Promise<void>>();
  const server = createServer((request, response) => {
    const foreign = findForeignOrigin({ host: request.headers.host, origin: request.headers.origin });
    if (foreign !== undefined) {
      response.writeHead(403, { "content-type": "text/plain; charset=utf-8" }).end(`forbidden: ${foreign}\n`);
      return;
    }
    const answered = handle(closing.signal, cluster, request, response)
      .catch((error: unknown) => {
        // The client, a requested fault or the end of the server can break a connection. Only other errors are logged.
        if (!response.destroyed && !closing.signal.aborted) {
          log.error("simulated API request failed", { error });
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
      closing.abort(new Error("simulated API server: closing"));
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

/** Writes lines as fast as the client reads them. It ends at once if the client disconnects or is disconnected. */
async function stream(
  signal: AbortSignal,
  { subscription, lines }: Extract<ApiResponse, { type: "stream" }>,
  response: ServerResponse,
): Promise<void> {
  using _joined = subscription;
  const gone = new AbortController();
  response.once("close", () => gone.abort(new Error("client: disconnected")));
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
