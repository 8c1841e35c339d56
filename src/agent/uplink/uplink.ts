import type { Hello } from "../../../gen/proto/evenkeel/v1/sync_service_pb.ts";
import type { OpenSync } from "../../domain/open-sync.ts";
import { sleepUnlessAborted, untilAborted, waitFor } from "../../lib/abort.ts";
import { createBackoff } from "../../lib/backoff.ts";
import type { Clock } from "../../lib/clock.ts";
import { RetryableError, TerminalError } from "../../lib/errors.ts";
import type { Log } from "../../lib/log.ts";
import type { Random } from "../../lib/random.ts";
import type { AgentTuning } from "../config.ts";
import type { AgentCounters } from "../metrics.ts";
import { Outbox } from "./outbox.ts";
import { type BatchHandler, runSession } from "./session.ts";

/** What an uplink is made of. */
export interface UplinkOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly openSync: OpenSync;
  readonly hello: Hello;
  readonly tuning: AgentTuning;
  readonly counters: AgentCounters;
  /** Takes the backend's batches, one after the other. Must not wait. */
  readonly onBatch: BatchHandler;
  /** Takes a batch of the backend for which there is no room. Must not wait. */
  readonly onOverflow: BatchHandler;
}

/**
 * Delivers what is in its outbox, over one session after the other. When one ends the next is opened after a
 * backoff with full jitter, which begins anew only after an acknowledgement, and not before the backend wants
 * it.
 */
export class Uplink {
  readonly outbox: Outbox;
  readonly #options: UplinkOptions;
  readonly #welcomed = Promise.withResolvers<void>();
  #epoch = 0n;

  constructor(options: UplinkOptions) {
    const { batch, maxPendingBytes } = options.tuning;
    this.outbox = new Outbox({ batch, maxPendingBytes });
    this.#options = options;
  }

  /** Epoch of the latest session; 0 before the first. */
  get epoch(): bigint {
    return this.#epoch;
  }

  /** Resolves with the first Welcome. */
  async welcomed(signal: AbortSignal): Promise<void> {
    await waitFor(signal, this.#welcomed.promise);
  }

  /**
   * Delivers until `signal` aborts, and then what is left, for at most `flushMs`. Rejects with
   * `TerminalError` when the backend refuses this agent for good.
   */
  async run(signal: AbortSignal): Promise<void> {
    const flush = new AbortController();
    const flushed = this.#abortAfterFlush(signal, flush);
    try {
      await this.#reconnect(signal, flush.signal);
    } finally {
      flush.abort();
      await flushed;
    }
  }

  async #reconnect(stop: AbortSignal, signal: AbortSignal): Promise<void> {
    const { clock, random, log, tuning, counters } = this.#options;
    const backoff = createBackoff(random, tuning.backoff);
    const session = {
      ...this.#options,
      outbox: this.outbox,
      welcomeMs: tuning.welcomeMs,
      onWelcome: (epoch: bigint) => {
        this.#epoch = epoch;
        counters.sessions++;
        log.info("session opened", { epoch });
        this.#welcomed.resolve();
      },
      onAcknowledged: (sequence: bigint) => {
        counters.acknowledged = sequence;
        backoff.reset();
      },
    };
    while (!stop.aborted) {
      let retryAfterMs = 0;
      try {
        retryAfterMs = await runSession(signal, stop, session);
      } catch (error) {
        if (error instanceof TerminalError && !stop.aborted) {
          throw error;
        }
        retryAfterMs = error instanceof RetryableError ? (error.retryAfterMs ?? 0) : 0;
        log.info("session ended", { error });
      }
      // All agents are asked to wait the same time: the jitter keeps them apart.
      await sleepUnlessAborted(stop, clock, retryAfterMs * (1 + random.float() / 10) + backoff.nextMs());
    }
  }

  async #abortAfterFlush(signal: AbortSignal, flush: AbortController): Promise<void> {
    const { clock, tuning } = this.#options;
    await untilAborted(AbortSignal.any([signal, flush.signal]));
    await sleepUnlessAborted(flush.signal, clock, tuning.flushMs);
    flush.abort(signal.reason);
  }
}
