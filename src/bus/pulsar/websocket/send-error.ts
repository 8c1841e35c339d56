import { toMessage } from "../../../lib/errors.ts";
import { PublishRefusedError, PublishUnknownError } from "../../bus.ts";
import type { Publish } from "../../publish-queue.ts";
import { ConnectionLostError } from "./connection.ts";
import { DEFAULT_MAX_MESSAGE_BYTES, type Receipt, toMaxFrameBytes } from "./frames.ts";

/** Meaning of an error. */
interface Meaning {
  /** `refused` if the message is certainly not stored. */
  readonly outcome: "refused" | "unknown";
  /** True if the producer of this connection cannot publish any more, but a new one may. */
  readonly isEnd?: true;
}

const REFUSED: Meaning = { outcome: "refused" };
const UNKNOWN: Meaning = { outcome: "unknown" };

/** Codes of `send-error`; 8 wraps the exceptions below. */
const MEANING_OF_CODE: Readonly<Record<number, Meaning>> = {
  /** The frame was not JSON, so that nothing reached the broker's producer. */
  3: REFUSED,
  /** The payload was not base64, so that nothing reached the broker's producer. */
  7: REFUSED,
};

/**
 * Exceptions of Pulsar's client, which the WebSocket API uses. Any other exception leaves the outcome
 * unknown.
 */
const MEANING_OF_EXCEPTION: Readonly<Record<string, Meaning>> = {
  /** The message is above the broker's maxMessageSize, by payload or by properties. */
  InvalidMessageException: REFUSED,
  /** The broker's side of this API had no room for the message. */
  ProducerQueueIsFullError: REFUSED,
  MemoryBufferIsFullError: REFUSED,
  /** The broker found the message damaged, and dropped it. */
  ChecksumException: REFUSED,
  /** The topic accepts no more messages. */
  TopicTerminatedException: { outcome: "refused", isEnd: true },
  /**
   * The topic's backlog is above its quota. The broker closes its producers, and their client fails all
   * pending messages, also those that it had written before and the broker may have stored.
   */
  ProducerBlockedQuotaExceededException: { outcome: "unknown", isEnd: true },
  ProducerBlockedQuotaExceededError: { outcome: "unknown", isEnd: true },
  /** The broker's side has closed the producer and failed its pending messages. */
  AlreadyClosedException: { outcome: "unknown", isEnd: true },
  ProducerFencedException: { outcome: "unknown", isEnd: true },
};

/**
 * The client counts how often it wrote a message to the broker. If it never wrote a message within its time,
 * the producer is blocked, for example by a quota. The client would check again only after a minute.
 */
const NEVER_WRITTEN: Meaning = { outcome: "refused", isEnd: true };

/**
 * Returns the error of a publish that the broker refused. `isEnd` is true if its connection is of no further
 * use.
 */
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
 * Returns the error of a publish in flight whose connection was lost. Its outcome is unknown, except for a
 * frame that the broker found too large and did not read. The broker closes the connection while such a frame
 * is still being sent, which can lose its reason. Then the error names the limit as a possible cause if the
 * frame is above its default.
 */
export function toLossError(loss: unknown, topic: string, publish: Publish): Error {
  const { frameBytes, message } = publish;
  const limit = toFrameLimit(loss);
  if (limit !== undefined && frameBytes > limit) {
    return new PublishRefusedError(
      `topic ${topic} refused a message of ${message.payload.byteLength} bytes: ` +
        `its frame of ${frameBytes} bytes is above the broker's webSocketMaxTextFrameSize of ${limit}; ` +
        "raise it, or lower --bus-max-message",
      { cause: loss },
    );
  }
  const hint =
    frameBytes > DEFAULT_FRAME_BYTES
      ? `; its frame of ${frameBytes} bytes may be above the broker's webSocketMaxTextFrameSize`
      : "";
  return new PublishUnknownError(`topic ${topic} sent no receipt: ${toMessage(loss)}${hint}`, {
    cause: loss,
  });
}

/** Returns the limit in Jetty's reason: "Text message size [8528461] exceeds maximum size [8388608]". */
function toFrameLimit(loss: unknown): number | undefined {
  const isTooBig = loss instanceof ConnectionLostError && loss.code === MESSAGE_TOO_BIG;
  const limit = isTooBig ? /maximum size \[(\d+)\]/.exec(loss.reason)?.[1] : undefined;
  return limit === undefined ? undefined : Number(limit);
}
