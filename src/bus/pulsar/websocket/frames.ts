import { Buffer } from "node:buffer";
import { RetryableError } from "../../../lib/errors.ts";
import { type OutgoingMessage, PublishRefusedError } from "../../bus.ts";

/** The broker's receipt for one publish. */
export type Receipt =
  | { readonly type: "stored"; readonly context: string }
  /** The context is absent if the broker could not read it. */
  | { readonly type: "failed"; readonly context?: string; readonly code: number; readonly reason: string };

/** A message that the broker delivers. */
export interface IncomingMessage {
  readonly messageId: string;
  readonly key: string;
  readonly payload: Uint8Array;
  readonly properties: Readonly<Record<string, string>>;
  readonly redeliveryCount: number;
}

/** Returns the frame that publishes a message. The broker repeats `context` in its receipt. */
export function toPublishFrame({ key, payload, properties }: OutgoingMessage, context: string): string {
  const { buffer, byteOffset, byteLength } = payload;
  const base64 = Buffer.from(buffer, byteOffset, byteLength).toString("base64");
  return JSON.stringify({ payload: base64, key, properties, context });
}

/** Returns the frame that acknowledges a message. The broker does not answer it. */
export function toAcknowledgeFrame(messageId: string): string {
  return JSON.stringify({ messageId });
}

/** Returns the frame that gives a message back. The broker does not answer it. */
export function toRedeliverFrame(messageId: string): string {
  return JSON.stringify({ type: "negativeAcknowledge", messageId });
}

/** Returns the frame that permits this many more messages. */
export function toPermitFrame(messages: number): string {
  return JSON.stringify({ type: "permit", permitMessages: messages });
}

/**
 * Parses a frame to a producer.
 *
 * @throws MalformedFrameError if it is not a receipt.
 */
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

/**
 * Parses a frame to a consumer.
 *
 * @throws MalformedFrameError if it is not a message.
 */
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
  } catch {
    // Without the cause, whose message quotes the frame.
    throw new MalformedFrameError(expected, `${text.length} characters that are not JSON`);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new MalformedFrameError(expected, "JSON that is not an object");
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

/**
 * Reports a frame that Pulsar's WebSocket API never sends. The text describes the frame without its content.
 */
export class MalformedFrameError extends RetryableError {
  override readonly name = "MalformedFrameError";

  constructor(expected: string, found: string, options?: ErrorOptions) {
    super(
      `the broker sent a malformed frame: expected ${expected} of Pulsar's WebSocket API, found ${found}; ` +
        "check that the bus URL is that of a broker",
      options,
    );
  }
}

/** Maximum bytes of a frame besides the payload: key, properties, context and their JSON. */
const ENVELOPE_BYTES = 32 * 1024;

/**
 * Largest payload that is safe with the default settings of a broker. They allow text frames of 1 MiB, of
 * which 32 KiB are reserved for key and properties. Base64 encodes 3 bytes as 4, so that the other 1,015,808
 * bytes hold 761,856.
 */
export const DEFAULT_MAX_MESSAGE_BYTES = 761_856;

/** Returns the size of the largest text frame for payloads of up to this size, in bytes. */
export function toMaxFrameBytes(maxMessageBytes: number): number {
  return 4 * Math.ceil(maxMessageBytes / 3) + ENVELOPE_BYTES;
}

/**
 * Asserts that key and properties leave room for the payload in its frame.
 *
 * @throws PublishRefusedError if the frame is too large.
 */
export function assertFrameFits(frameBytes: number, payloadBytes: number, maxFrameBytes: number): void {
  if (frameBytes > maxFrameBytes) {
    throw new PublishRefusedError(
      `a message of ${payloadBytes} bytes is too large with its key and properties: ` +
        `expected a frame of at most ${maxFrameBytes} bytes, found ${frameBytes}`,
    );
  }
}
