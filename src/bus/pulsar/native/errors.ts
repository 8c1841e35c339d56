import { RetryableError, TerminalError, toMessage } from "../../../lib/errors.ts";
import { PublishRefusedError, PublishUnknownError } from "../../bus.ts";

/** The name of the result that an error of Pulsar's client ends with: "Failed to send message: TimeOut". */
export function toResult(error: unknown): string {
  const message = toMessage(error);
  return message.slice(message.lastIndexOf(":") + 1).trim();
}

/** What a result of opening a producer or consumer means. */
interface Meaning {
  /** What to do about it, for people. */
  readonly advice: string;
  /** Trying again cannot help. */
  readonly isTerminal?: true;
}

const MEANINGS: Readonly<Record<string, Meaning>> = {
  InvalidTopicName: { advice: "Pulsar does not take the topic's name", isTerminal: true },
  InvalidUrl: { advice: "the bus URL is not one of a broker", isTerminal: true },
  InvalidConfiguration: { advice: "Pulsar's client does not take how it was asked", isTerminal: true },
  AuthenticationError: { advice: "check the bus's token" },
  AuthorizationError: { advice: "the token's role may not do this on the topic" },
  TopicNotFound: { advice: 'are tenant, namespace and topic there? "evenkeel admin topics" makes them' },
  SubscriptionNotFound: { advice: '"evenkeel admin topics" makes the subscriptions' },
  ConsumerBusy: { advice: "something else has the subscription in another way" },
  ProducerBlockedQuotaExceededException: { advice: "the backlog is above its quota" },
  ProducerBlockedQuotaExceededError: { advice: "the backlog is above its quota" },
  TopicTerminated: { advice: "the topic takes no more messages" },
  ConnectError: { advice: "is the broker running, and is this its URL?" },
  // Its client tries again when the broker does not take its token, and does not say so.
  TimeOut: { advice: "no answer: is the broker running, is this its URL, and does it take the token?" },
};

/** The error of something that could not be opened; `what` names it. Unless it is known to be in vain, it may pass. */
export function toOpenError(what: string, cause: unknown): RetryableError | TerminalError {
  const result = toResult(cause);
  const { advice, isTerminal } = MEANINGS[result] ?? { advice: "the broker's log says more" };
  const message = `${what}: refused with ${result}: ${advice}`;
  return isTerminal ? new TerminalError(message, { cause }) : new RetryableError(message, { cause });
}

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
