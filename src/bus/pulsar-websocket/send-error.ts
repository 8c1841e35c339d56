import { PublishRefusedError, PublishUnknownError } from "../bus.ts";
import type { Receipt } from "./frames.ts";

/** What an error says of the message: not stored, perhaps stored, or that its topic was closed to producers. */
type Verdict = "refused" | "unknown" | "blocked";

/** Codes of `send-error`; 8 wraps the exceptions below. */
const VERDICT_OF_CODE: Readonly<Record<number, Verdict>> = {
  /** The frame was no JSON: nothing reached the broker's producer. */
  3: "refused",
  /** The payload was no base64: likewise. */
  7: "refused",
};

/** Exceptions of Pulsar's client, which the WebSocket API is made of. What is not listed leaves the outcome unknown. */
const VERDICT_OF_EXCEPTION: Readonly<Record<string, Verdict>> = {
  /** The message is above the broker's maxMessageSize, by payload or by properties. */
  InvalidMessageException: "refused",
  /** The topic takes no more messages. */
  TopicTerminatedException: "refused",
  /** The broker's side of this API had no room to keep it. */
  ProducerQueueIsFullError: "refused",
  MemoryBufferIsFullError: "refused",
  /** The broker found the message damaged, and dropped it. */
  ChecksumException: "refused",
  /** The topic's backlog is above its quota: the broker sends producers away, and fails all that they have pending. */
  ProducerBlockedQuotaExceededException: "blocked",
  ProducerBlockedQuotaExceededError: "blocked",
};

/** Whether the broker has sent the topic's producers away. What is published while it has is surely not stored. */
export function isBlocked(receipt: FailedReceipt): boolean {
  return toVerdict(receipt) === "blocked";
}

/** What becomes of a publish that the broker has answered with an error. */
export function toPublishError(
  receipt: FailedReceipt,
  topic: string,
  wasSentWhileBlocked: boolean,
): PublishRefusedError | PublishUnknownError {
  const verdict = toVerdict(receipt);
  return verdict === "refused" || (verdict === "blocked" && wasSentWhileBlocked)
    ? new PublishRefusedError(`topic ${topic} refused the message: ${receipt.reason}`)
    : new PublishUnknownError(`topic ${topic} may have refused the message: ${receipt.reason}`);
}

type FailedReceipt = Receipt & { readonly kind: "failed" };

function toVerdict({ code, reason }: FailedReceipt): Verdict {
  const exception = /PulsarClientException\$(\w+)/.exec(reason)?.[1] ?? "";
  if (exception === "TimeoutException") {
    return toVerdictOfTimeout(reason);
  }
  return VERDICT_OF_CODE[code] ?? VERDICT_OF_EXCEPTION[exception] ?? "unknown";
}

/**
 * The client counts how often it wrote the message to the broker. One that it never wrote has waited in vain, as for
 * a quota that holds producers back, and is surely not stored.
 */
function toVerdictOfTimeout(reason: string): Verdict {
  return /\bretryCount 0\b/.test(reason) ? "refused" : "unknown";
}
