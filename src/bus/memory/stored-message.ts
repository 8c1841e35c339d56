import type { OutgoingMessage } from "../bus.ts";

/** A message as a topic of the memory bus keeps it. */
export interface StoredMessage {
  /** Position in the topic, from 1. */
  readonly position: number;
  readonly message: OutgoingMessage;
}
