import { RetryableError, TerminalError } from "../../../lib/errors.ts";
import { toResult } from "./errors.ts";

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
