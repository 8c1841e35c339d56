import { ServerResponse } from "node:http";
import { constants, Http2ServerResponse } from "node:http2";
// biome-ignore lint/style/noRestrictedImports: a simulation never runs Node's HTTP server.
import { setImmediate } from "node:timers";
import { Code, ConnectError, type ConnectRouter, createContextValues } from "@connectrpc/connect";
import type { UniversalHandler, UniversalServerRequest } from "@connectrpc/connect/protocol";
import { universalRequestFromNodeRequest, universalResponseToNodeResponse } from "@connectrpc/connect-node";
import { SyncService } from "../../../gen/proto/evenkeel/v1/sync_service_pb.ts";
import { NEVER, waitFor } from "../../lib/abort.ts";
import type { Clock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";
import { findForeignOrigin } from "../../lib/loopback.ts";
import type { MemoryBudget } from "../../lib/memory-budget.ts";
import { countFrames } from "./count-frames.ts";
import { createFrameMemory } from "./frame-memory.ts";
import { QUESTION_LIMITS, SYNC_LIMITS } from "./service-limits.ts";
import { Turns } from "./turns.ts";

/** Longest time for the body of a request with one message, in milliseconds. */
const MAX_BODY_MS = 10_000;
/** Longest wait for the rest of a body that is not needed, in milliseconds. */
const MAX_DROP_MS = 1000;

/** A request of either of Node's HTTP servers. */
export type NodeRequest = Parameters<typeof universalRequestFromNodeRequest>[0];
/** A response of either of Node's HTTP servers. */
export type NodeResponse = Parameters<typeof universalResponseToNodeResponse>[1];
/** Handler of the requests of both. */
export type NodeHandler = (request: NodeRequest, response: NodeResponse) => void;

export interface NodeHandlerOptions {
  readonly clock: Clock;
  readonly log: Log;
  /** True to refuse pages of other sites: the port is on loopback and has no authentication. Default false. */
  readonly isLocalOnly?: boolean;
  /** Memory for the messages of streams. */
  readonly memory: MemoryBudget;
}

/**
 * Creates a handler that passes requests of Node's HTTP servers to a router.
 *
 * The body of a request with one message must arrive within 10 seconds. The messages of streams are charged to the
 * caller's account, and their parts are counted before they are decoded.
 *
 * It replaces `connectNodeAdapter`, which writes to the console, and which throws in the server's event and so ends the
 * process if a request's Host is malformed (`Host: [`) or missing, as HTTP/1.0 allows.
 */
export function createNodeHandler(
  router: ConnectRouter,
  { clock, log, isLocalOnly = false, memory }: NodeHandlerOptions,
): NodeHandler {
  const turns = new Turns();
  const handlers = new Map(router.handlers.map((handler) => [handler.requestPath, handler]));
  return (request, response) => {
    if (turns.isFull(connectionOf(request))) {
      refuseUnprocessed(response);
      return;
    }
    const path = request.url?.split("?", 1)[0] ?? "";
    const { headers } = request;
    const host = headers.host ?? headers[":authority"]?.toString();
    const foreign = isLocalOnly ? findForeignOrigin({ host, origin: headers.origin }) : undefined;
    if (foreign !== undefined) {
      refuse(response, 403, `forbidden: ${foreign}\n`);
      return;
    }
    const handler = handlers.get(path);
    if (handler === undefined) {
      refuse(response, 404, `not found: ${path}\n`);
      return;
    }
    void answer(handler, { clock, memory, turns }, request, response).catch((error: unknown) => {
      if (!isDisconnect(error)) {
        log.warn("response not written", { method: path, error });
      }
    });
  };
}

async function answer(
  handler: UniversalHandler,
  { clock, memory, turns }: Pick<NodeHandlerOptions, "clock" | "memory"> & { readonly turns: Turns },
  request: NodeRequest,
  response: NodeResponse,
): Promise<void> {
  const connection = connectionOf(request);
  await turns.take(connection);
  if (response.destroyed || request.socket.destroyed) {
    return;
  }
  const universalRequest = toUniversalRequest(request, response);
  if (universalRequest === undefined) {
    refuse(response, 400, "request: missing or malformed host\n");
    return;
  }
  const { method } = handler;
  const { body } = universalRequest;
  const hasOneMessage = method.methodKind === "unary" || method.methodKind === "server_streaming";
  if (!hasOneMessage || !isStream(body)) {
    const messages = {
      schema: method.input,
      contentType: universalRequest.header.get("content-type") ?? "",
      maxBytes: maxBytesOf(method),
      memory: createFrameMemory(memory, universalRequest),
      turn: (bytes: number) => turns.take(connection, bytes),
      clock,
    };
    const counted = isStream(body) ? countFrames(body, messages) : body;
    const universalResponse = await handler({ ...universalRequest, body: counted });
    closeAfterResponse(request, response);
    await universalResponseToNodeResponse(universalResponse, response);
    return;
  }
  const chunks = body[Symbol.asyncIterator]();
  const universalResponse = await handler({ ...universalRequest, body: arriveInTime(clock, chunks) });
  if (response instanceof ServerResponse && !request.complete) {
    await dropRest(clock, chunks);
  }
  closeAfterResponse(request, response);
  await universalResponseToNodeResponse(universalResponse, response);
}

function connectionOf(request: NodeRequest): object {
  // The session of HTTP/2 is gone if the client has left.
  return ("stream" in request ? request.stream.session : request.socket) ?? request;
}

function maxBytesOf({ parent }: UniversalHandler["method"]): number {
  const { readMaxBytes } = parent.typeName === SyncService.typeName ? SYNC_LIMITS : QUESTION_LIMITS;
  return readMaxBytes;
}

function isStream(body: UniversalServerRequest["body"]): body is AsyncIterable<Uint8Array> {
  return typeof body === "object" && body !== null && Symbol.asyncIterator in body;
}

/**
 * Yields the chunks of a body.
 *
 * @throws ConnectError (DEADLINE_EXCEEDED) if they take too long: each unfinished body holds memory and a stream
 */
async function* arriveInTime(clock: Clock, chunks: AsyncIterator<Uint8Array>): AsyncGenerator<Uint8Array> {
  using deadline = clock.deadline(NEVER, MAX_BODY_MS);
  for (;;) {
    const { value, done } = await waitFor(deadline.signal, chunks.next()).catch((error: unknown) => {
      const message = `request: expected its body within ${MAX_BODY_MS} ms`;
      throw deadline.signal.aborted ? new ConnectError(message, Code.DeadlineExceeded) : error;
    });
    if (done === true) {
      return;
    }
    yield value;
  }
}

/**
 * Reads the rest of the body of a call that has ended, for at most a second. A client that still writes to a closed
 * connection over HTTP/1.1 gets its reset (EPIPE, ECONNRESET) instead of the answer.
 */
async function dropRest(clock: Clock, chunks: AsyncIterator<Uint8Array>): Promise<void> {
  using deadline = clock.deadline(NEVER, MAX_DROP_MS);
  try {
    while (!(await waitFor(deadline.signal, chunks.next())).done) {}
  } catch {
    // The client is late or gone. The connection is closed after the answer.
  }
}

/**
 * Closes the stream of a call that ended before its request: the client need not send more (RFC 9113, 8.1). Otherwise
 * the stream of each session that ends with an error would stay open as long as its connection, until the connection
 * reaches its limit of streams. HTTP/1.1 has no streams, so its connection is closed.
 */
function closeAfterResponse(request: NodeRequest, response: NodeResponse): void {
  if (response instanceof Http2ServerResponse) {
    const { stream } = response;
    // In the next turn of the event loop, because a close drops unsent trailers.
    stream.once("wantTrailers", () => setImmediate(() => stream.close(constants.NGHTTP2_NO_ERROR)));
  } else if (response instanceof ServerResponse && !request.complete) {
    response.shouldKeepAlive = false;
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

/** Ends a call that its client may repeat without a risk (RFC 9113, 8.7). */
function refuseUnprocessed(response: NodeResponse): void {
  if (response instanceof Http2ServerResponse) {
    response.stream.close(constants.NGHTTP2_REFUSED_STREAM);
  } else {
    refuse(response, 503, "the server has too many requests; try again\n");
  }
}

function isDisconnect(error: unknown): boolean {
  const { code } = ConnectError.from(error);
  return code === Code.Aborted || code === Code.Canceled;
}
