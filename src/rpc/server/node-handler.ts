import { constants, Http2ServerResponse } from "node:http2";
// biome-ignore lint/style/noRestrictedImports: a simulation never runs Node's HTTP server.
import { setImmediate } from "node:timers";
import { Code, ConnectError, type ConnectRouter, createContextValues } from "@connectrpc/connect";
import type { UniversalHandler } from "@connectrpc/connect/protocol";
import { universalRequestFromNodeRequest, universalResponseToNodeResponse } from "@connectrpc/connect-node";
import type { Log } from "../../lib/log.ts";

/** A request of either of Node's HTTP servers. */
export type NodeRequest = Parameters<typeof universalRequestFromNodeRequest>[0];
/** A response of either of Node's HTTP servers. */
export type NodeResponse = Parameters<typeof universalResponseToNodeResponse>[1];
/** Handler of the requests of both. */
export type NodeHandler = (request: NodeRequest, response: NodeResponse) => void;

/**
 * Creates a handler that passes requests of Node's HTTP servers to a router.
 *
 * It replaces `connectNodeAdapter`, which writes to the console, and which throws in the server's event and so ends the
 * process if a request's Host is malformed (`Host: [`) or missing, as HTTP/1.0 allows.
 */
export function createNodeHandler(router: ConnectRouter, log: Log): NodeHandler {
  const handlers = new Map(router.handlers.map((handler) => [handler.requestPath, handler]));
  return (request, response) => {
    const path = request.url?.split("?", 1)[0] ?? "";
    const handler = handlers.get(path);
    if (handler === undefined) {
      refuse(response, 404, `not found: ${path}\n`);
      return;
    }
    void answer(handler, request, response).catch((error: unknown) => {
      if (!isDisconnect(error)) {
        log.warn("response not written", { method: path, error });
      }
    });
  };
}

async function answer(
  handler: UniversalHandler,
  request: NodeRequest,
  response: NodeResponse,
): Promise<void> {
  const universalRequest = toUniversalRequest(request, response);
  if (universalRequest === undefined) {
    refuse(response, 400, "request: missing or malformed host\n");
    return;
  }
  const universalResponse = await handler(universalRequest);
  closeAfterResponse(response);
  await universalResponseToNodeResponse(universalResponse, response);
}

/**
 * Closes the stream of a call that ended before its request: the client need not send more (RFC 9113, 8.1). Otherwise
 * the stream of each session that ends with an error would stay open as long as its connection, until the connection
 * reaches its limit of streams.
 */
function closeAfterResponse(response: NodeResponse): void {
  if (response instanceof Http2ServerResponse) {
    const { stream } = response;
    // In the next turn of the event loop, because a close drops unsent trailers.
    stream.once("wantTrailers", () => setImmediate(() => stream.close(constants.NGHTTP2_NO_ERROR)));
  }
}

function toUniversalRequest(request: NodeRequest, response: NodeResponse) {
  try {
    return universalRequestFromNodeRequest(request, response, undefined, createContextValues());
  } catch {
    return undefined;
  }
}

function refuse(response: NodeResponse, status: number, text: string): void {
  response.writeHead(status, { "content-type": "text/plain; charset=utf-8" });
  response.end(text);
}

function isDisconnect(error: unknown): boolean {
  const { code } = ConnectError.from(error);
  return code === Code.Aborted || code === Code.Canceled;
}
