import type { KubeTransport } from "../kube/kube.ts";
import { RetryableError } from "../lib/errors.ts";
import { type ApiResponse, answer } from "./api/api-handler.ts";
import type { SimulatedCluster } from "./simulated-cluster.ts";

/** Creates a transport to a simulated cluster in the same process, without a socket. */
export function createSimulatedTransport(cluster: SimulatedCluster): KubeTransport {
  return {
    async get(signal, { path, query, accept = "application/json" }) {
      signal.throwIfAborted();
      const response = answer(cluster, { method: "GET", path, query: new URLSearchParams(query), accept });
      switch (response.type) {
        case "text":
          return {
            status: response.status,
            retryAfterMs:
              response.retryAfterSeconds === undefined ? undefined : response.retryAfterSeconds * 1000,
            body: chunk(response.text),
          };
        case "stream":
          signal.addEventListener("abort", () => response.subscription[Symbol.dispose](), { once: true });
          return { status: 200, retryAfterMs: undefined, body: encodeLines(signal, response) };
        default:
          return response satisfies never;
      }
    },
  };
}

async function* chunk(text: string): AsyncGenerator<Uint8Array> {
  yield new TextEncoder().encode(text);
}

async function* encodeLines(
  signal: AbortSignal,
  { subscription, lines }: Extract<ApiResponse, { type: "stream" }>,
): AsyncGenerator<Uint8Array> {
  using _joined = subscription;
  const encoder = new TextEncoder();
  try {
    for await (const line of lines(signal)) {
      yield encoder.encode(line);
    }
  } catch (cause) {
    signal.throwIfAborted();
    throw new RetryableError("watch: closed by the server", { cause });
  }
}
