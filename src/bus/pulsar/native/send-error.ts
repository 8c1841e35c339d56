import { PublishRefusedError, PublishUnknownError } from "../../bus.ts";
import { toResult } from "./errors.ts";

/** What a result says of the message: not stored, or that its topic was closed to producers. Any other leaves it unknown. */
const VERDICTS: Readonly<Record<string, "refused" | "blocked">> = {
  /** Above the broker's maxMessageSize, with key and properties: not sent. */
  MessageTooBig: "refused",
  InvalidMessage: "refused",
  /** There was no room to keep it. */
  ProducerQueueIsFull: "refused",
  ResultMemoryBufferIsFull: "refused",
  /** The broker found the message damaged, and dropped it. */
  ChecksumError: "refused",
  /** The topic's backlog is above its quota: the broker sends producers away, which fails all that they have pending. */
  ProducerBlockedQuotaExceededException: "blocked",
  ProducerBlockedQuotaExceededError: "blocked",
};

/** Whether the broker has sent the topic's producers away. What is published while it has is surely not stored. */
export function isBlocked(cause: unknown): boolean {
  return VERDICTS[toResult(cause)] === "blocked";
}

/** What becomes of a publish that Pulsar's client has failed. */
export function toPublishError(
  cause: unknown,
  topic: string,
  wasSentWhileBlocked: boolean,
): PublishRefusedError | PublishUnknownError {
  const result = toResult(cause);
  const verdict = VERDICTS[result];
  return verdict === "refused" || (verdict === "blocked" && wasSentWhileBlocked)
    ? new PublishRefusedError(`topic ${topic} refused the message: ${result}`, { cause })
    : new PublishUnknownError(`topic ${topic} may not have the message: ${result}`, { cause });
}
