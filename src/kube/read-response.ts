import type { KubeRequest, KubeResponse, KubeTransport } from "./kube.ts";
import { MalformedResponseError, toKubeError } from "./kube-error.ts";
import { isRecord } from "./kube-object.ts";

/** Maximum bytes of an error's body that are kept. */
export const MAX_ERROR_BYTES = 64 * 1024;

/**
 * Sends a request and returns its body as text.
 *
 * @throws KubeRefusedError or KubeUnavailableError for a status other than 200.
 */
export async function getText(
  signal: AbortSignal,
  transport: KubeTransport,
  request: KubeRequest,
): Promise<string> {
  const response = await transport.get(signal, request);
  await assertOk(request, response);
  return await readText(response.body);
}

/** Returns a body as text, without the bytes beyond `maxBytes`. Reads it to its end. */
export async function readText(
  body: AsyncIterable<Uint8Array>,
  maxBytes = Number.POSITIVE_INFINITY,
): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.length;
    if (bytes <= maxBytes) {
      chunks.push(chunk);
    }
  }
  return Buffer.concat(chunks).toString("utf8");
}

/**
 * Sends a request and returns its body, parsed by `parse`.
 *
 * @throws KubeRefusedError or KubeUnavailableError for a status other than 200.
 * @throws MalformedResponseError if the body is not JSON.
 */
export async function getJson(
  signal: AbortSignal,
  transport: KubeTransport,
  request: KubeRequest,
  parse: (text: string) => unknown = JSON.parse,
): Promise<unknown> {
  const text = await getText(signal, transport, request);
  return parseAnswer(text, describeRequest(request), parse);
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
      throw new MalformedResponseError(`${what}: the response is not JSON or is truncated`, { cause });
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
  const status = parseErrorBody(await readText(body, MAX_ERROR_BYTES));
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
