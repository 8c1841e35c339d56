import { request } from "undici";
import { RetryableError, toMessage } from "../../../lib/errors.ts";
import { createAgent, type DialOptions } from "./dial.ts";

/**
 * Resolves when something at the URL answers by HTTP, whatever it says short of a server's error; throws
 * `RetryableError` when not. A broker that is starting or gone does not answer, and the proxy before it says 502 or 503.
 */
export async function probe(signal: AbortSignal, webSocketUrl: string, options: DialOptions): Promise<void> {
  const url = new URL(webSocketUrl);
  url.protocol = url.protocol === "wss:" ? "https:" : "http:";
  const agent = createAgent(options);
  let status: number;
  try {
    const { statusCode, body } = await request(url, { dispatcher: agent, signal });
    status = statusCode;
    await body.dump();
  } catch (cause) {
    signal.throwIfAborted();
    throw new RetryableError(`the broker at ${url.host} does not answer: ${toMessage(cause)}`, { cause });
  } finally {
    await agent.destroy();
  }
  if (status >= 500) {
    throw new RetryableError(`the broker at ${url.host} answers with ${status}`);
  }
}
