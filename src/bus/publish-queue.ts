import type { Clock } from "../lib/clock.ts";
import { type OutgoingMessage, PublishRefusedError } from "./bus.ts";

/**
 * Limits of the messages in flight, which are sent and have no receipt. If none is in flight, one of any size
 * is allowed.
 */
export interface PublishLimits {
  readonly maxMessages: number;
  readonly maxBytes: number;
}

/** One call of a publish. */
export interface Publish {
  /** Identifies the publish; its receipt repeats it. */
  readonly context: string;
  readonly message: OutgoingMessage;
  /** Monotonic time of the call. */
  readonly calledMs: number;
  /** Monotonic time at which it was sent. */
  sentMs: number;
  /** Size of the sent frame, in bytes. */
  frameBytes: number;
  readonly outcome: PromiseWithResolvers<void>;
}

/**
 * The publishes of one producer: those that wait to be sent, in the order of the calls, and those in flight,
 * in the order of sending.
 *
 * A publish that its caller gives up before it is sent is removed. If it was sent already, it stays in the
 * window until its receipt arrives.
 */
export class PublishQueue {
  readonly #limits: PublishLimits;
  readonly #clock: Clock;
  readonly #onInFlight: (messages: number, bytes: number) => void;
  readonly #waiting = new Set<Publish>();
  readonly #inFlight = new Map<string, Publish>();
  #inFlightBytes = 0;
  #nextContext = 1;

  constructor(
    limits: PublishLimits,
    clock: Clock,
    onInFlight: (messages: number, bytes: number) => void = () => {},
  ) {
    this.#limits = limits;
    this.#clock = clock;
    this.#onInFlight = onInFlight;
  }

  /** Adds a message behind those that wait. */
  add(message: OutgoingMessage): Publish {
    const publish: Publish = {
      context: String(this.#nextContext++),
      message,
      calledMs: this.#clock.monotonic(),
      sentMs: 0,
      frameBytes: 0,
      outcome: Promise.withResolvers<void>(),
    };
    this.#waiting.add(publish);
    return publish;
  }

  /** Waits for the outcome of a publish. Gives the publish up if `signal` aborts first. */
  async outcomeOf(signal: AbortSignal, publish: Publish): Promise<void> {
    const onAbort = (): void => this.#giveUp(publish, signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      await publish.outcome.promise;
    } finally {
      signal.removeEventListener("abort", onAbort);
    }
  }

  #giveUp(publish: Publish, reason: unknown): void {
    this.#waiting.delete(publish);
    publish.outcome.reject(reason);
  }

  /** Moves the next publish into the window and returns it; undefined if none waits or the window is full. */
  next(): Publish | undefined {
    const [publish] = this.#waiting;
    if (publish === undefined || !this.#hasRoomFor(publish)) {
      return undefined;
    }
    this.#waiting.delete(publish);
    publish.sentMs = this.#clock.monotonic();
    this.#inFlight.set(publish.context, publish);
    this.#count(1, publish.message.payload.byteLength);
    return publish;
  }

  /** Removes the publish from the window and returns it; undefined if it is not in the window. */
  take(context: string): Publish | undefined {
    const publish = this.#inFlight.get(context);
    if (publish !== undefined) {
      this.#inFlight.delete(context);
      this.#count(-1, -publish.message.payload.byteLength);
    }
    return publish;
  }

  /** Fails every publish in flight with the error that the function returns for it. */
  failInFlight(toError: (publish: Publish) => Error): void {
    for (const publish of [...this.#inFlight.values()]) {
      this.take(publish.context);
      publish.outcome.reject(toError(publish));
    }
  }

  /** Refuses the publishes that were never sent: all of them, or those that were called before a time. */
  refuseWaiting(reason: string, calledBeforeMs = Number.POSITIVE_INFINITY): void {
    for (const publish of [...this.#waiting]) {
      if (publish.calledMs < calledBeforeMs) {
        this.#giveUp(publish, new PublishRefusedError(reason));
      }
    }
  }

  /** Monotonic time at which the oldest publish in flight was sent; undefined if none is in flight. */
  get oldestSentMs(): number | undefined {
    const [oldest] = this.#inFlight.values();
    return oldest?.sentMs;
  }

  #hasRoomFor({ message }: Publish): boolean {
    const { maxMessages, maxBytes } = this.#limits;
    return (
      this.#inFlight.size === 0 ||
      (this.#inFlight.size < maxMessages && this.#inFlightBytes + message.payload.byteLength <= maxBytes)
    );
  }

  #count(messages: number, bytes: number): void {
    this.#inFlightBytes += bytes;
    this.#onInFlight(messages, bytes);
  }
}
