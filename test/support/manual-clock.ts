import { setImmediate as nextTurn } from "node:timers/promises";
import type { Clock, Deadline } from "../../src/lib/clock.ts";
import { deadlineOn, type Schedule, sleepOn } from "./scheduled-waits.ts";

interface Timer {
  readonly at: number;
  fire(): void;
}

/** A clock that the test advances: a test of an hour takes no time, and no test depends on sleeps. */
export class ManualClock implements Clock {
  readonly #startMs: number;
  readonly #timers = new Set<Timer>();
  #elapsedMs = 0;

  /** Starts at `start`, 2026-01-01T00:00:00Z unless given. */
  constructor(start = new Date("2026-01-01T00:00:00Z")) {
    this.#startMs = start.getTime();
  }

  /** Number of pending sleeps and deadlines; 0 after a test that has cleaned up. */
  get pending(): number {
    return this.#timers.size;
  }

  now(): Date {
    return new Date(this.#startMs + this.#elapsedMs);
  }

  monotonic(): number {
    return this.#elapsedMs;
  }

  sleep(signal: AbortSignal, ms: number): Promise<void> {
    return sleepOn(this.#schedule, signal, ms);
  }

  deadline(signal: AbortSignal, ms: number): Deadline {
    return deadlineOn(this.#schedule, signal, ms);
  }

  /**
   * Advances the time, timer by timer in the order of their times (then of their creation). Before the next
   * timer fires, all work that the previous one started has progressed as far as it can without time or I/O.
   */
  async advance(ms: number): Promise<void> {
    const target = this.#elapsedMs + ms;
    await nextTurn();
    for (;;) {
      const next = [...this.#timers].sort((a, b) => a.at - b.at)[0];
      if (next === undefined || next.at > target) {
        break;
      }
      this.#timers.delete(next);
      this.#elapsedMs = Math.max(this.#elapsedMs, next.at);
      next.fire();
      await nextTurn();
    }
    this.#elapsedMs = target;
  }

  readonly #schedule: Schedule = (ms, fire) => {
    const timer: Timer = { at: this.#elapsedMs + Math.max(0, ms), fire };
    this.#timers.add(timer);
    return () => {
      this.#timers.delete(timer);
    };
  };
}
