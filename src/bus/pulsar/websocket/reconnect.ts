import { sleepUnlessAborted } from "../../../lib/abort.ts";
import type { Clock } from "../../../lib/clock.ts";
import type { Random } from "../../../lib/random.ts";
import { type Backoff, createBackoff } from "../../../lib/retry.ts";
import type { Connection } from "./connection.ts";

export interface ReconnectOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** Opens a connection. */
  readonly dial: (signal: AbortSignal) => Promise<Connection>;
  /** Called with the error of each failed attempt. */
  readonly onFailure: (error: unknown) => void;
}

/** Time after which a connection is treated as healthy, so that the backoff starts again; in milliseconds. */
const HEALTHY_MS = 10_000;

/** Opens the next connection each time the last one was lost. */
export class Reconnector {
  readonly #options: ReconnectOptions;
  readonly #backoff: Backoff;
  #connectedMs: number;

  /** Creates a reconnector for a connection that was opened now. */
  constructor(options: ReconnectOptions) {
    this.#options = options;
    this.#backoff = createBackoff(options.random, { initialMs: 100, maxMs: 5_000 });
    this.#connectedMs = options.clock.monotonic();
  }

  /** Tries to connect until it succeeds, and returns the connection; undefined if `signal` aborts before. */
  async next(signal: AbortSignal): Promise<Connection | undefined> {
    const { clock, dial, onFailure } = this.#options;
    if (clock.monotonic() - this.#connectedMs > HEALTHY_MS) {
      this.#backoff.reset();
    }
    for (;;) {
      await sleepUnlessAborted(signal, clock, this.#backoff.nextMs());
      if (signal.aborted) {
        return undefined;
      }
      try {
        const connection = await dial(signal);
        if (signal.aborted) {
          await connection.close();
          return undefined;
        }
        this.#connectedMs = clock.monotonic();
        return connection;
      } catch (error) {
        if (!signal.aborted) {
          onFailure(error);
        }
      }
    }
  }
}
