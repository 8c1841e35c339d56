import { constants, Http2ServerResponse } from "node:http2";
// biome-ignore lint/style/noRestrictedImports: this is Node's own server, which no simulation runs.
import { setImmediate } from "node:timers";
import { Code, ConnectError, type ConnectRouter, createContextValues } from "@connectrpc/connect";
import type { UniversalHandler } from "@connectrpc/connect/protocol";
import { universalRequestFromNodeRequest, universalResponseToNodeResponse } from "@connectrpc/connect-node";
import type { Log } from "../../lib/log.ts";

/** A request of either of Node's HTTP servers. */
export type NodeRequest = Parameters<typeof universalRequestFromNodeRequest>[0];
/** A response of either of Node's HTTP servers. */
export type NodeResponse = Parameters<typeof universalResponseToNodeResponse>[1];
/** Answers requests of both. */
export type NodeHandler = (request: NodeRequest, response: NodeResponse) => void;

/**
 * Lets a router answer the requests of Node's HTTP servers.
 *
 * Instead of `connectNodeAdapter`, which writes to the console, and which throws out of the server's event, ending the
 * process, when a request's Host is no host (`Host: [`) or is missing, as HTTP/1.0 allows.
 */
export function createNodeHandler(router: ConnectRouter, log: Log): NodeHandler {
  const handlers = new Map(router.handlers.map((handler) => [handler.requestPath, handler]));
  return (request, response) => {
    const path = request.url?.split("?", 1)[0] ?? "";
    const handler = handlers.get(path);
    if (handler === undefined) {
      refuse(response, 404, `nothing is served at ${path}\n`);
      return;
    }
    void answer(handler, request, response).catch((error: unknown) => {
      if (!isDisconnect(error)) {
        log.warn("a response could not be written", { method: path, error });
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
    refuse(response, 400, "the request's host is missing or malformed\n");
    return;
  }
  const universalResponse = await handler(universalRequest);
  closeAfterResponse(response);
  await universalResponseToNodeResponse(universalResponse, response);
}

/**
 * Closes the stream of a call that has ended before its request did: the client need send nothing more (RFC 9113,
 * 8.1). Otherwise the stream of each session that is ended with an error stays open for as long as its connection
 * lives, until the connection has no room for another.
 */
function closeAfterResponse(response: NodeResponse): void {
  if (response instanceof Http2ServerResponse) {
    const { stream } = response;
    // A turn later, because a close drops trailers that are not yet sent.
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
