import type { Delivery, OutgoingMessage } from "../bus/bus.ts";

/** A message that could not be applied, with the reason and its origin. */
export interface DeadLetter {
  /** The original message. */
  readonly message: OutgoingMessage;
  /** Reason why it could not be applied. */
  readonly reason: string;
  /** Position in the topic from which it was delivered. */
  readonly sourcePosition: string;
  /** Number of deliveries before the failed one. */
  readonly redeliveryCount: number;
}

const REASON = "dead-letter-reason";
const SOURCE_POSITION = "source-position";
const REDELIVERY_COUNT = "redelivery-count";

/** Creates the message for the dead-letter topic: the unchanged delivery, with the reason in its properties. */
export function toDeadLetter(delivery: Delivery, reason: string): OutgoingMessage {
  return {
    key: delivery.key,
    payload: delivery.payload,
    properties: {
      ...delivery.properties,
      [REASON]: reason,
      [SOURCE_POSITION]: delivery.messageId,
      [REDELIVERY_COUNT]: String(delivery.redeliveryCount),
    },
  };
}

/** Reads a message of {@link toDeadLetter}. */
export function fromDeadLetter({ key, payload, properties }: OutgoingMessage): DeadLetter {
  const {
    [REASON]: reason = "",
    [SOURCE_POSITION]: sourcePosition = "",
    [REDELIVERY_COUNT]: redeliveryCount = "0",
    ...others
  } = properties ?? {};
  return {
    message: { key, payload, properties: others },
    reason,
    sourcePosition,
    redeliveryCount: Number(redeliveryCount),
  };
}
