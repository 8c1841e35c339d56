import type { Delivery, OutgoingMessage } from "./bus.ts";

/** The message that goes to the dead-letter topic: the delivery as it came, and why it could not be applied. */
export function toDeadLetter(delivery: Delivery, reason: string): OutgoingMessage {
  return {
    key: delivery.key,
    payload: delivery.payload,
    properties: {
      ...delivery.properties,
      "dead-letter-reason": reason,
      "source-position": delivery.position,
      "redelivery-count": String(delivery.redeliveryCount),
    },
  };
}
