import { RetryableError, TerminalError, toMessage } from "../../../lib/errors.ts";
import { PublishRefusedError, PublishUnknownError } from "../../bus.ts";

/**
 * Returns the name of the result at the end of an error of Pulsar's client: "Failed to send message:
 * TimeOut".
 */
export function toResult(error: unknown): string {
  const message = toMessage(error);
  return message.slice(message.lastIndexOf(":") + 1).trim();
}

/** Meaning of the result of opening a producer or consumer. */
interface Meaning {
  /** The cause or the action, for people. */
  readonly advice: string;
  /** A retry cannot succeed. */
  readonly isTerminal?: true;
}

const MEANINGS: Readonly<Record<string, Meaning>> = {
  InvalidTopicName: { advice: "Pulsar does not accept the topic's name", isTerminal: true },
  InvalidUrl: { advice: "set the bus URL to that of a broker", isTerminal: true },
  InvalidConfiguration: { advice: "Pulsar's client does not accept its configuration", isTerminal: true },
  AuthenticationError: { advice: "check the bus's token" },
  AuthorizationError: { advice: "the token's role lacks the permission on the topic" },
  TopicNotFound: { advice: 'create tenant, namespace and topic with "evenkeel admin topics"' },
  SubscriptionNotFound: { advice: 'create the subscriptions with "evenkeel admin topics"' },
  ConsumerBusy: { advice: "another client uses the subscription with another type" },
  ProducerBlockedQuotaExceededException: { advice: "the backlog is above its quota" },
  ProducerBlockedQuotaExceededError: { advice: "the backlog is above its quota" },
  TopicTerminated: { advice: "the topic accepts no more messages" },
  ConnectError: { advice: "check that the broker is running and that this is its URL" },
  // The client retries without a report if the broker does not accept its token.
  TimeOut: {
    advice: "check that the broker is running, that this is its URL, and that it accepts the token",
  },
};

/** Returns the error of a failed open; `what` names it. An unknown result is retried. */
export function toOpenError(what: string, cause: unknown): RetryableError | TerminalError {
  const result = toResult(cause);
  const { advice, isTerminal } = MEANINGS[result] ?? { advice: "see the broker's log" };
  const message = `${what}: refused with ${result}; ${advice}`;
  return isTerminal ? new TerminalError(message, { cause }) : new RetryableError(message, { cause });
}

/**
 * Results that prove that the message is not stored, or that the topic is blocked. Any other outcome is
 * unknown.
 */
const VERDICTS: Readonly<Record<string, "refused" | "blocked">> = {
  /** The message with key and properties is above the broker's maxMessageSize, and was not sent. */
  MessageTooBig: "refused",
  InvalidMessage: "refused",
  /** The client had no room for the message. */
  ProducerQueueIsFull: "refused",
  ResultMemoryBufferIsFull: "refused",
  /** The broker found the message damaged, and dropped it. */
  ChecksumError: "refused",
  /**
   * The topic's backlog is above its quota. The broker closes its producers, which fails their pending
   * messages.
   */
  ProducerBlockedQuotaExceededException: "blocked",
  ProducerBlockedQuotaExceededError: "blocked",
};

/**
 * True if the broker has closed the topic's producers. A message sent while it is blocked is certainly not
 * stored.
 */
export function isBlocked(cause: unknown): boolean {
  return VERDICTS[toResult(cause)] === "blocked";
}

/** Returns the error of a publish that Pulsar's client has failed. */
export function toPublishError(
  cause: unknown,
  topic: string,
  wasSentWhileBlocked: boolean,
): PublishRefusedError | PublishUnknownError {
  const result = toResult(cause);
  const verdict = VERDICTS[result];
  return verdict === "refused" || (verdict === "blocked" && wasSentWhileBlocked)
    ? new PublishRefusedError(`topic ${topic} refused the message: ${result}`, { cause })
    : new PublishUnknownError(`topic ${topic} may not have stored the message: ${result}`, { cause });
}
