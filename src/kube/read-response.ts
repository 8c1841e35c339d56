import type { KubeRequest, KubeResponse, KubeTransport } from "./kube.ts";
import { MalformedResponseError, ResponseTooLargeError, toKubeError } from "./kube-error.ts";
import { isRecord } from "./kube-object.ts";

/** Maximum bytes of an error's body that are kept. */
const MAX_ERROR_BYTES = 64 * 1024;

/** Maximum bytes of a response, unless the request has a lower limit. etcd stores objects of up to 1.5 MiB. */
export const MAX_RESPONSE_BYTES = 64 * 1024 * 1024;

/**
 * Sends a request and returns its body as text.
 *
 * @throws KubeRefusedError or KubeUnavailableError for a status other than 200.
 * @throws ResponseTooLargeError for more than `maxBytes`. The rest is not read.
 */
export async function getText(
  signal: AbortSignal,
  transport: KubeTransport,
  request: KubeRequest,
  maxBytes = MAX_RESPONSE_BYTES,
): Promise<string> {
  const response = await transport.get(signal, request);
  await assertOk(request, response);
  return await readText(response.body, describeRequest(request), maxBytes);
}

/**
 * Returns a body as text; `what` names the request.
 *
 * @throws ResponseTooLargeError for more than `maxBytes`. The rest is not read.
 */
export async function readText(
  body: AsyncIterable<Uint8Array>,
  what: string,
  maxBytes = MAX_RESPONSE_BYTES,
): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.length;
    if (bytes > maxBytes) {
      throw new ResponseTooLargeError(`${what}: expected at most ${maxBytes} bytes, found more`);
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

/** Returns the beginning of a body of an error as text. The rest is not read. */
export async function readBeginning(body: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.length;
    if (bytes > MAX_ERROR_BYTES) {
      break;
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

/**
 * Sends a request and returns its body, parsed as JSON.
 *
 * @throws KubeRefusedError or KubeUnavailableError for a status other than 200.
 * @throws MalformedResponseError if the body is not JSON.
 */
export async function getJson(
  signal: AbortSignal,
  transport: KubeTransport,
  request: KubeRequest,
): Promise<unknown> {
  const text = await getText(signal, transport, request);
  return parseAnswer(text, describeRequest(request), JSON.parse);
}

/**
 * Parses a part of a response; `what` names the request.
 *
 * @throws MalformedResponseError if the text is not JSON.
 */
export function parseAnswer(text: string, what: string, parse: (text: string) => unknown): unknown {
  try {
    return parse(text);
  } catch (cause) {
    if (cause instanceof SyntaxError) {
      // Without the cause, whose message quotes the object.
      throw new MalformedResponseError(`${what}: the response is not JSON or is truncated`);
    }
    throw cause;
  }
}

/**
 * Asserts that the status is 200.
 *
 * @throws KubeRefusedError or KubeUnavailableError with the message of the `Status` in the body.
 */
export async function assertOk(request: KubeRequest, response: KubeResponse): Promise<void> {
  if (response.status !== 200) {
    const message = await readStatusMessage(response.body);
    throw toKubeError(describeRequest(request), response.status, message, response.retryAfterMs);
  }
}

/** Returns a text that names the request in errors. */
export function describeRequest({ path, query }: KubeRequest): string {
  return `GET ${path}${query?.["watch"] === undefined ? "" : " (watch)"}`;
}

async function readStatusMessage(body: AsyncIterable<Uint8Array>): Promise<string> {
  const status = parseErrorBody(await readBeginning(body));
  return isRecord(status) && typeof status["message"] === "string" ? status["message"].slice(0, 500) : "";
}

/** Returns the parsed body of an error; undefined if it is not JSON, because proxies answer in HTML. */
export function parseErrorBody(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
