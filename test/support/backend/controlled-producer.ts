import type { Event } from "../../../gen/proto/evenkeel/v1/event_pb.ts";
import type { OutgoingMessage, Producer } from "../../../src/bus/bus.ts";
import { decodeEvent } from "../../../src/event/codec.ts";

interface Publish {
  readonly message: OutgoingMessage;
  readonly receipt: PromiseWithResolvers<void>;
}

/** A producer whose receipts come when the test says so. */
export class ControlledProducer implements Producer {
  readonly publishes: Publish[] = [];

  async publish(_signal: AbortSignal, message: OutgoingMessage): Promise<void> {
    const receipt = Promise.withResolvers<void>();
    this.publishes.push({ message, receipt });
    await receipt.promise;
  }

  async close(): Promise<void> {}

  /** What was published, as the ingester reads it. */
  get events(): Event[] {
    return this.publishes.map(({ message }) => decodeEvent(message.payload));
  }

  /** Gives the receipt of a publish, by its place. */
  async receive(at: number): Promise<void> {
    this.publishes[at]?.receipt.resolve();
    await turn();
  }

  async fail(at: number, error: Error): Promise<void> {
    this.publishes[at]?.receipt.reject(error);
    await turn();
  }
}

/** Lets everything go on that waits for nothing outside. */
export function turn(): Promise<void> {
  return new Promise(setImmediate);
}
