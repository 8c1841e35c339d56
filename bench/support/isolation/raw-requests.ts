import { once } from "node:events";
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  constants,
  type IncomingHttpHeaders,
} from "node:http2";
import { Code } from "@connectrpc/connect";

/** Answer to a request of raw bytes. */
export type RawAnswer =
  | { readonly type: "ok" }
  | { readonly type: "refused"; readonly status: number }
  /** The stream or the connection ended, or the time passed, without a status. */
  | { readonly type: "none" };

export interface RawRequest {
  readonly path: string;
  readonly body: Uint8Array;
  readonly headers: Readonly<Record<string, string>>;
}

/** Longest wait for an answer, in milliseconds. */
const TIMEOUT_MS = 30_000;
const MAX_CLIENT_MB = 4_000;

/** Opens a connection over HTTP/2. Its errors end its streams. */
export async function openConnection(url: string): Promise<ClientHttp2Session> {
  // Default: 10 MB, beyond which the client itself ends its streams.
  const session = connect(url, { maxSessionMemory: MAX_CLIENT_MB });
  session.on("error", () => {});
  await once(session, "connect");
  return session;
}

/** Puts a message into the envelope of gRPC: a flag, and the length. */
export function toEnvelope(message: Uint8Array, isCompressed: boolean, length = message.length): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt8(isCompressed ? 1 : 0, 0);
  head.writeUInt32BE(length, 1);
  return Buffer.concat([head, message]);
}

/** Begins a gRPC call and leaves its body open. */
export function beginGrpc(
  session: ClientHttp2Session,
  path: string,
  headers: RawRequest["headers"] = {},
): ClientHttp2Stream {
  const stream = session.request({
    ":method": "POST",
    ":path": path,
    "content-type": "application/grpc",
    te: "trailers",
    ...headers,
  });
  return stream.on("error", () => {});
}

/** Waits for the end of a call and returns its status. */
export async function readAnswer(stream: ClientHttp2Stream): Promise<RawAnswer> {
  const found: IncomingHttpHeaders = {};
  const collect = (headers: IncomingHttpHeaders): void => void Object.assign(found, headers);
  stream.on("response", collect).on("trailers", collect).resume();
  const timer = setTimeout(() => stream.destroy(), TIMEOUT_MS);
  if (!stream.closed) {
    await new Promise((resolve) => stream.once("close", resolve));
  }
  clearTimeout(timer);
  const status = found["grpc-status"] === undefined ? undefined : Number(found["grpc-status"]);
  if (status !== undefined) {
    return status === 0 ? { type: "ok" } : { type: "refused", status };
  }
  if (stream.rstCode === constants.NGHTTP2_REFUSED_STREAM) {
    // The code of gRPC for it.
    return { type: "refused", status: Code.Unavailable };
  }
  const http = Number(found[":status"]);
  return http >= 400 ? { type: "refused", status: http } : { type: "none" };
}

/** Sends a call of gRPC over HTTP/2. */
export async function sendGrpc(session: ClientHttp2Session, request: RawRequest): Promise<RawAnswer> {
  if (session.closed || session.destroyed) {
    return { type: "none" };
  }
  const stream = beginGrpc(session, request.path, request.headers);
  const answer = readAnswer(stream);
  stream.end(request.body);
  return await answer;
}

/** Sends a unary call of Connect over HTTP/1.1. */
export async function sendConnect(url: string, { path, headers, body }: RawRequest): Promise<RawAnswer> {
  try {
    const response = await fetch(url + path, {
      method: "POST",
      headers: { "content-type": "application/proto", ...headers },
      body: new Uint8Array(body),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    await response.arrayBuffer();
    return response.ok ? { type: "ok" } : { type: "refused", status: response.status };
  } catch {
    return { type: "none" };
  }
}

/** True for RESOURCE_EXHAUSTED of gRPC. */
export function isExhausted(answer: RawAnswer): boolean {
  return answer.type === "refused" && answer.status === Code.ResourceExhausted;
}

/** Counts answers by type, as "5 ok, 3 refused, 0 without an answer". */
export function formatAnswers(answers: readonly RawAnswer[]): string {
  const count = (type: RawAnswer["type"]): string =>
    answers.filter((answer) => answer.type === type).length.toLocaleString("en");
  return `${count("ok")} answered, ${count("refused")} refused, ${count("none")} without an answer`;
}
