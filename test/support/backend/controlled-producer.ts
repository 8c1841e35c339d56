import type { Event } from "../../../gen/proto/evenkeel/v1/event_pb.ts";
import type { OutgoingMessage, Producer } from "../../../src/bus/bus.ts";
import { decodeEvent } from "../../../src/event/codec.ts";

interface Publish {
  readonly message: OutgoingMessage;
  readonly receipt: PromiseWithResolvers<void>;
}

/** A producer whose receipts the test controls. */
export class ControlledProducer implements Producer {
  readonly publishes: Publish[] = [];

  async publish(_signal: AbortSignal, message: OutgoingMessage): Promise<void> {
    const receipt = Promise.withResolvers<void>();
    this.publishes.push({ message, receipt });
    await receipt.promise;
  }

  async close(): Promise<void> {}

  /** Returns the published events, as the ingester reads them. */
  get events(): Event[] {
    return this.publishes.map(({ message }) => decodeEvent(message));
  }

  /** Confirms a publish by its index. */
  async receive(at: number): Promise<void> {
    this.publishes[at]?.receipt.resolve();
    await turn();
  }

  async fail(at: number, error: Error): Promise<void> {
    this.publishes[at]?.receipt.reject(error);
    await turn();
  }
}

/** Runs all pending work that does not wait for input or output. */
export function turn(): Promise<void> {
  return new Promise(setImmediate);
}
