import type { Clock } from "../../src/lib/clock.ts";
import { toMessage } from "../../src/lib/errors.ts";
import type { Log, LogFields } from "../../src/lib/log.ts";
import { createSeededRandom, type Random } from "../../src/lib/random.ts";
import type { Metrics } from "../../src/lib/telemetry.ts";
import type { Peaks } from "./peaks.ts";
import type { Trace } from "./trace.ts";
import { createVirtualClock, type VirtualTime } from "./virtual-time.ts";

export interface ProcessOptions {
  readonly name: string;
  readonly time: VirtualTime;
  readonly trace: Trace;
  readonly random: Random;
  readonly peaks: Peaks;
  /** Error of the process's wall clock, in milliseconds. */
  readonly skewMs?: number;
}

/** A promise that is never settled: the answer to a process that has died. */
const NEVER_SETTLED = new Promise<never>(() => {});

/**
 * One simulated process. Everything that it does to others passes {@link call}, which is also where it can die: after
 * its death nothing gets out of it and nothing gets into it, like after a `kill -9`.
 */
export class SimulatedProcess {
  readonly name: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly metrics: Metrics;
  /** Aborts when the process shall end in order, as by SIGTERM. */
  readonly stop = new AbortController();
  readonly #time: VirtualTime;
  readonly #trace: Trace;
  readonly #sample: () => void;
  readonly #onDeath = new Set<() => void>();
  #isAlive = true;
  /** Crossings of the boundary until the process dies. */
  #left = Number.POSITIVE_INFINITY;

  constructor({ name, time, trace, random, peaks, skewMs = 0 }: ProcessOptions) {
    this.name = name;
    this.#time = time;
    this.#trace = trace;
    this.clock = createVirtualClock(time, { skewMs, isRunning: () => this.#isAlive });
    this.random = createSeededRandom(Math.floor(random.float() * 2 ** 32));
    this.log = createTracingLog(trace, name, {});
    const { metrics, sample } = peaks.createMetrics();
    this.metrics = metrics;
    this.#sample = sample;
  }

  get isAlive(): boolean {
    return this.#isAlive;
  }

  /** Calls `onDeath` when the process dies; not when it ends in order. Returns a function that cancels this. */
  onDeath(onDeath: () => void): () => void {
    this.#onDeath.add(onDeath);
    return () => this.#onDeath.delete(onDeath);
  }

  /** Kills the process at once. */
  kill(): void {
    if (this.#isAlive) {
      this.#isAlive = false;
      this.#trace.add(this.name, "killed");
      for (const onDeath of this.#onDeath) {
        onDeath();
      }
    }
  }

  /** Kills the process when it crosses its boundary for the `count`th time from now: before or after an effect. */
  killAtCrossing(count: number): void {
    this.#left = count;
  }

  /**
   * Runs an effect outside the process, after a delay, and returns its result after another. The process may die before
   * the effect, or after it without learning its result.
   */
  async call<T>(label: string, delays: readonly [number, number], effect: () => Promise<T> | T): Promise<T> {
    this.#cross();
    if (!this.#isAlive) {
      return NEVER_SETTLED;
    }
    this.#trace.add(this.name, label);
    await this.#time.wait(delays[0]);
    if (!this.#isAlive) {
      return NEVER_SETTLED;
    }
    const outcome = await settle(effect);
    await this.#time.wait(delays[1]);
    this.#cross();
    if (!this.#isAlive) {
      return NEVER_SETTLED;
    }
    if ("error" in outcome) {
      throw outcome.error;
    }
    return outcome.value;
  }

  #cross(): void {
    this.#sample();
    this.#left -= 1;
    if (this.#left <= 0) {
      this.kill();
    }
  }
}

async function settle<T>(
  effect: () => Promise<T> | T,
): Promise<{ readonly value: T } | { readonly error: unknown }> {
  try {
    return { value: await effect() };
  } catch (error) {
    return { error };
  }
}

function createTracingLog(trace: Trace, name: string, outer: LogFields): Log {
  const write =
    (level: string) =>
    (message: string, fields: LogFields = {}) => {
      const all = { ...outer, ...fields };
      const error = "error" in all ? `: ${toMessage(all["error"])}` : "";
      trace.add(name, `${level} ${message}${error}`);
    };
  return {
    debug() {},
    info: write("info"),
    warn: write("warn"),
    error: write("error"),
    with: (fields) => createTracingLog(trace, name, { ...outer, ...fields }),
  };
}
