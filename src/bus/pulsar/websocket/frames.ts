import { Buffer } from "node:buffer";
import { RetryableError } from "../../../lib/errors.ts";
import type { OutgoingMessage } from "../../bus.ts";

/** What the broker says of one publish. */
export type Receipt =
  | { readonly type: "stored"; readonly context: string }
  /** Without a context the broker could not even read which publish it was. */
  | { readonly type: "failed"; readonly context?: string; readonly code: number; readonly reason: string };

/** A message as the broker hands it out. */
export interface IncomingMessage {
  readonly messageId: string;
  readonly key: string;
  readonly payload: Uint8Array;
  readonly properties: Readonly<Record<string, string>>;
  readonly redeliveryCount: number;
}

/** The frame that publishes a message; the broker repeats `context` in its receipt. */
export function toPublishFrame({ key, payload, properties }: OutgoingMessage, context: string): string {
  const { buffer, byteOffset, byteLength } = payload;
  const base64 = Buffer.from(buffer, byteOffset, byteLength).toString("base64");
  return JSON.stringify({ payload: base64, key, properties, context });
}

/** The frame that acknowledges a message. It is not answered. */
export function toAcknowledgeFrame(messageId: string): string {
  return JSON.stringify({ messageId });
}

/** The frame that asks for this many more messages. */
export function toPermitFrame(messages: number): string {
  return JSON.stringify({ type: "permit", permitMessages: messages });
}

/** Reads what a producer is sent; throws {@link MalformedFrameError}. */
export function parseReceipt(text: string): Receipt {
  const { result, context, errorMsg } = parseObject("a receipt", text);
  if (result === "ok" && typeof context === "string") {
    return { type: "stored", context };
  }
  const code = typeof result === "string" ? /^send-error:(\d+)$/.exec(result)?.[1] : undefined;
  if (code === undefined) {
    throw new MalformedFrameError("a receipt", `result ${JSON.stringify(result)}`);
  }
  const reason = typeof errorMsg === "string" ? errorMsg : "no reason given";
  return {
    type: "failed",
    code: Number(code),
    reason,
    ...(typeof context === "string" ? { context } : {}),
  };
}

/** Reads what a consumer is sent; throws {@link MalformedFrameError}. */
export function parseMessage(text: string): IncomingMessage {
  const { messageId, payload, key = "", properties = {}, redeliveryCount } = parseObject("a message", text);
  if (typeof messageId !== "string" || messageId === "") {
    throw new MalformedFrameError("a message", `messageId ${JSON.stringify(messageId)}`);
  }
  if (typeof payload !== "string" || typeof key !== "string") {
    throw new MalformedFrameError(
      "a message",
      `payload of type ${typeof payload}, key of type ${typeof key}`,
    );
  }
  if (!isProperties(properties) || typeof redeliveryCount !== "number") {
    throw new MalformedFrameError("a message", "properties or a redeliveryCount of another type");
  }
  return { messageId, key, payload: Buffer.from(payload, "base64"), properties, redeliveryCount };
}

function parseObject(expected: string, text: string): Partial<Record<string, unknown>> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new MalformedFrameError(expected, `${text.length} characters that are no JSON`, { cause });
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new MalformedFrameError(expected, "JSON that is no object");
  }
  return value;
}

function isProperties(value: unknown): value is Record<string, string> {
  return (
    typeof value === "object" &&
    value !== null &&
    Object.values(value).every((property) => typeof property === "string")
  );
}

/** The other side has sent what Pulsar's WebSocket API does not. Says what it was, never its content. */
export class MalformedFrameError extends RetryableError {
  override readonly name = "MalformedFrameError";

  constructor(expected: string, found: string, options?: ErrorOptions) {
    super(
      `expected ${expected} of Pulsar's WebSocket API, found ${found}: does the bus URL lead to a broker?`,
      options,
    );
  }
}
