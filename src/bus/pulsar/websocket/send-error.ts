import { toMessage } from "../../../lib/errors.ts";
import { PublishRefusedError, PublishUnknownError } from "../../bus.ts";
import type { Publish } from "../../publish-queue.ts";
import { ConnectionLostError } from "./connection.ts";
import { DEFAULT_MAX_MESSAGE_BYTES, toMaxFrameBytes } from "./frame-limit.ts";
import type { Receipt } from "./frames.ts";

/** What an error means. */
interface Meaning {
  /** Whether the message is surely not stored. */
  readonly outcome: "refused" | "unknown";
  /** The producer behind this connection can do no more: only another one may. */
  readonly isEnd?: true;
}

const REFUSED: Meaning = { outcome: "refused" };
const UNKNOWN: Meaning = { outcome: "unknown" };

/** Codes of `send-error`; 8 wraps the exceptions below. */
const MEANING_OF_CODE: Readonly<Record<number, Meaning>> = {
  /** The frame was no JSON: nothing reached the broker's producer. */
  3: REFUSED,
  /** The payload was no base64: likewise. */
  7: REFUSED,
};

/** Exceptions of Pulsar's client, which the WebSocket API is made of. What is not listed leaves the outcome unknown. */
const MEANING_OF_EXCEPTION: Readonly<Record<string, Meaning>> = {
  /** The message is above the broker's maxMessageSize, by payload or by properties. */
  InvalidMessageException: REFUSED,
  /** The broker's side of this API had no room to keep it. */
  ProducerQueueIsFullError: REFUSED,
  MemoryBufferIsFullError: REFUSED,
  /** The broker found the message damaged, and dropped it. */
  ChecksumException: REFUSED,
  /** The topic takes no more messages. */
  TopicTerminatedException: { outcome: "refused", isEnd: true },
  /**
   * The topic's backlog is above its quota. The broker sends producers away, and their client fails all that they have
   * pending, also what it had written before and the broker may have stored.
   */
  ProducerBlockedQuotaExceededException: { outcome: "unknown", isEnd: true },
  ProducerBlockedQuotaExceededError: { outcome: "unknown", isEnd: true },
  /** The broker's side has closed the producer, with what it had pending. */
  AlreadyClosedException: { outcome: "unknown", isEnd: true },
  ProducerFencedException: { outcome: "unknown", isEnd: true },
};

/**
 * The client counts how often it wrote a message to the broker. One that it never wrote in its time has no way there,
 * as when a quota holds producers back. It would look again after a minute only.
 */
const NEVER_WRITTEN: Meaning = { outcome: "refused", isEnd: true };

/** What becomes of a publish that the broker has answered with an error, and whether its connection is of use still. */
export function toSendError(
  receipt: Receipt & { readonly type: "failed" },
  topic: string,
): { readonly error: PublishRefusedError | PublishUnknownError; readonly isEnd: boolean } {
  const { outcome, isEnd = false } = toMeaning(receipt.code, receipt.reason);
  const error =
    outcome === "refused"
      ? new PublishRefusedError(`topic ${topic} refused the message: ${receipt.reason}`)
      : new PublishUnknownError(`topic ${topic} may have refused the message: ${receipt.reason}`);
  return { error, isEnd };
}

function toMeaning(code: number, reason: string): Meaning {
  const exception = /PulsarClientException\$(\w+)/.exec(reason)?.[1] ?? "";
  if (exception === "TimeoutException") {
    return /\bretryCount 0\b/.test(reason) ? NEVER_WRITTEN : UNKNOWN;
  }
  return MEANING_OF_CODE[code] ?? MEANING_OF_EXCEPTION[exception] ?? UNKNOWN;
}

/** Close code for a frame that is too large (RFC 6455, section 7.4.1). */
const MESSAGE_TOO_BIG = 1009;

const DEFAULT_FRAME_BYTES = toMaxFrameBytes(DEFAULT_MAX_MESSAGE_BYTES);

/**
 * What becomes of a publish that had no receipt when its connection was lost: nobody knows, but for the frame that the
 * broker found too large, which it has not read. It hangs up on such a frame while it is still being sent, which can
 * take its reason along: then a frame above what brokers take by default is at least pointed at.
 */
export function toLossError(loss: unknown, topic: string, publish: Publish): Error {
  const { frameBytes, message } = publish;
  const limit = toFrameLimit(loss);
  if (limit !== undefined && frameBytes > limit) {
    return new PublishRefusedError(
      `topic ${topic} refused a message of ${message.payload.byteLength} bytes: its frame of ${frameBytes} ` +
        `bytes is above the broker's webSocketMaxTextFrameSize of ${limit}; raise that, or lower the bus's largest message`,
      { cause: loss },
    );
  }
  const hint =
    frameBytes > DEFAULT_FRAME_BYTES
      ? `; is its frame of ${frameBytes} bytes above the broker's webSocketMaxTextFrameSize?`
      : "";
  return new PublishUnknownError(`no receipt came from topic ${topic}: ${toMessage(loss)}${hint}`, {
    cause: loss,
  });
}

/** Jetty says: Text message size [8528461] exceeds maximum size [8388608]. */
function toFrameLimit(loss: unknown): number | undefined {
  const isTooBig = loss instanceof ConnectionLostError && loss.code === MESSAGE_TOO_BIG;
  const limit = isTooBig ? /maximum size \[(\d+)\]/.exec(loss.reason)?.[1] : undefined;
  return limit === undefined ? undefined : Number(limit);
}
