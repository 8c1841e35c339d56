import { setImmediate as nextTurn } from "node:timers/promises";
import type { Clock } from "../../src/lib/clock.ts";
import { deadlineOn, type Schedule, sleepOn } from "../support/scheduled-waits.ts";

interface Event {
  readonly at: number;
  fire: (() => void) | undefined;
}

/** Time at which every simulation starts. */
export const START = new Date("2026-01-01T00:00:00Z").getTime();

/**
 * Virtual time: a queue of events, which run one after the other. Before the next event runs, all work that the
 * previous one started has ended or waits for another event. So the order of all work depends only on the
 * events, and an equal seed results in an equal history.
 */
export class VirtualTime {
  /** Later events first; events of one time in the reverse order of their scheduling. */
  readonly #events: Event[] = [];
  #elapsedMs = 0;

  /** Milliseconds since {@link START}. */
  get elapsedMs(): number {
    return this.#elapsedMs;
  }

  /** Runs `fire` after `ms`. Returns a function that cancels it. */
  schedule(ms: number, fire: () => void): () => void {
    const event: Event = { at: this.#elapsedMs + Math.max(0, ms), fire };
    this.#insert(event);
    return () => {
      event.fire = undefined;
    };
  }

  /** Resolves after `ms`. */
  wait(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.schedule(ms, resolve);
    });
  }

  /** Runs all events up to this time. Throws what an event throws. */
  async runUntil(untilMs: number): Promise<void> {
    await nextTurn();
    for (;;) {
      const next = this.#events.at(-1);
      if (next === undefined || next.at > untilMs) {
        break;
      }
      this.#events.pop();
      if (next.fire !== undefined) {
        this.#elapsedMs = next.at;
        next.fire();
        // Promises and ticks of the process run before the next turn; nothing here uses a thread or a socket.
        await nextTurn();
      }
    }
    this.#elapsedMs = Math.max(this.#elapsedMs, untilMs);
  }

  #insert(event: Event): void {
    let [low, high] = [0, this.#events.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      const other = this.#events[middle];
      if (other !== undefined && other.at > event.at) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    this.#events.splice(low, 0, event);
  }
}

/** Creates a clock on virtual time. `skewMs` shifts its wall clock. `isRunning` is false for a process that has died. */
export function createVirtualClock(
  time: VirtualTime,
  {
    skewMs = 0,
    isRunning = () => true,
  }: { readonly skewMs?: number; readonly isRunning?: () => boolean } = {},
): Clock {
  const schedule: Schedule = (ms, fire) =>
    time.schedule(ms, () => {
      if (isRunning()) {
        fire();
      }
    });
  return {
    now: () => new Date(START + time.elapsedMs + skewMs),
    monotonic: () => time.elapsedMs,
    sleep: (signal, ms) => sleepOn(schedule, signal, ms),
    deadline: (signal, ms) => deadlineOn(schedule, signal, ms),
  };
}

/**
 * Makes everything in this process read virtual time. A database in this process must never read another one: its timers
 * would wait for a time that is far away.
 */
export function replaceClock(elapsedMs: () => number): Disposable {
  const { now } = Date;
  Date.now = () => START + elapsedMs();
  return {
    [Symbol.dispose]: () => {
      Date.now = now;
    },
  };
}
