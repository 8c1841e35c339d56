import type { Clock } from "../lib/clock.ts";
import { type OutgoingMessage, PublishRefusedError } from "./bus.ts";

/** Bounds of what is on its way without a receipt. At least one message always is. */
export interface PublishLimits {
  readonly maxMessages: number;
  readonly maxBytes: number;
}

/** One publish. */
export interface Publish {
  /** Comes back in its receipt. */
  readonly context: string;
  readonly message: OutgoingMessage;
  /** When it was called, on the clock's monotonic scale. */
  readonly calledMs: number;
  /** When it was sent, likewise. */
  sentMs: number;
  /** Size of the frame that it was sent in, in bytes. */
  frameBytes: number;
  readonly outcome: PromiseWithResolvers<void>;
}

/**
 * Publishes of one producer: those that wait to be sent, in the order of the calls, and those that wait for their
 * receipt, in the order in which they were sent.
 *
 * One that is given up by its caller before it was sent is not sent; after that its receipt is still awaited, since it
 * takes its place in the window until then.
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

  /** Puts a message at the end of those that wait. */
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

  /** What becomes of a publish; when `signal` aborts first, its caller waits no more. */
  async outcomeOf(signal: AbortSignal, publish: Publish): Promise<void> {
    const onAbort = (): void => this.#giveUp(publish, signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      await publish.outcome.promise;
    } finally {
      signal.removeEventListener("abort", onAbort);
    }
  }

  /** Its caller waits no more. */
  #giveUp(publish: Publish, reason: unknown): void {
    this.#waiting.delete(publish);
    publish.outcome.reject(reason);
  }

  /** The next publish to be sent, if the window has room for it. */
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

  /** Takes the publish out of the window, if it is in it. */
  take(context: string): Publish | undefined {
    const publish = this.#inFlight.get(context);
    if (publish !== undefined) {
      this.#inFlight.delete(context);
      this.#count(-1, -publish.message.payload.byteLength);
    }
    return publish;
  }

  /** Fails all that was sent, as the function says of each. */
  failInFlight(toError: (publish: Publish) => Error): void {
    for (const publish of [...this.#inFlight.values()]) {
      this.take(publish.context);
      publish.outcome.reject(toError(publish));
    }
  }

  /** Refuses what was never sent: all of it, or what was called before a time. */
  refuseWaiting(reason: string, calledBeforeMs = Number.POSITIVE_INFINITY): void {
    for (const publish of [...this.#waiting]) {
      if (publish.calledMs < calledBeforeMs) {
        this.#giveUp(publish, new PublishRefusedError(reason));
      }
    }
  }

  /** When the publish that has waited longest for its receipt was sent; undefined when none waits. */
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
