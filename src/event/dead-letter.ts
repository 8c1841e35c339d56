import type { Delivery, OutgoingMessage } from "../bus/bus.ts";

/** A message that could not be applied, and what is known about it. */
export interface DeadLetter {
  /** As it was before. */
  readonly message: OutgoingMessage;
  /** Why it could not be applied. */
  readonly reason: string;
  /** Where it stood in the topic that it came from. */
  readonly sourcePosition: string;
  /** Deliveries before the one that failed. */
  readonly redeliveryCount: number;
}

const REASON = "dead-letter-reason";
const SOURCE_POSITION = "source-position";
const REDELIVERY_COUNT = "redelivery-count";

/** The message that goes to the dead-letter topic: the delivery as it came, and why it could not be applied. */
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

/** Reads what {@link toDeadLetter} made. */
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
