import type { RefusedItems } from "../../../gen/proto/evenkeel/v1/batch_pb.ts";
import type { ResourceType } from "../../../gen/proto/evenkeel/v1/resource_pb.ts";
import type { Hello, Welcome } from "../../../gen/proto/evenkeel/v1/sync_service_pb.ts";
import { formatKey } from "../../domain/object-key.ts";
import { formatResourceType } from "../../domain/resource-type.ts";
import { sleepUnlessAborted, untilAborted, waitFor } from "../../lib/abort.ts";
import type { Clock } from "../../lib/clock.ts";
import { InvalidArgumentError, RetryableError, TerminalError } from "../../lib/errors.ts";
import { createOutageLog, type Log } from "../../lib/log.ts";
import type { Random } from "../../lib/random.ts";
import { createBackoff } from "../../lib/retry.ts";
import type { AgentTuning } from "../config.ts";
import type { AgentCounters } from "../metrics.ts";
import type { Outbox } from "./outbox.ts";
import { type OpenSync, runSession, type UplinkSessionOptions } from "./session.ts";

export interface UplinkOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly openSync: OpenSync;
  readonly hello: Hello;
  readonly tuning: AgentTuning;
  readonly counters: AgentCounters;
  /** Processes the backend's batches one at a time. Must not wait. */
  readonly onBatch: UplinkSessionOptions["onBatch"];
  readonly outbox: Outbox;
}

/** Most names of refused items in one log line. */
const MAX_LOGGED_NAMES = 5;

/** Uptime of a stream after which the backoff starts again, in milliseconds. */
const STABLE_MS = 60_000;

/**
 * Delivers the contents of an outbox in one session at a time. The next session opens after a backoff with
 * full jitter, plus the delay that the backend requested. Only a minute of uptime resets the backoff: a stream that
 * dies soon after each start must not return in a hot loop.
 */
export class Uplink {
  readonly #options: UplinkOptions;
  #storedScope: readonly ResourceType[] = [];
  readonly #welcomed = Promise.withResolvers<void>();

  constructor(options: UplinkOptions) {
    this.#options = options;
  }

  /** Resource types that Postgres had in the cluster's scope at the latest Welcome. */
  get storedScope(): readonly ResourceType[] {
    return this.#storedScope;
  }

  /** Waits for the first Welcome. */
  async welcomed(signal: AbortSignal): Promise<void> {
    await waitFor(signal, this.#welcomed.promise);
  }

  /**
   * Delivers until `signal` aborts, then delivers the rest for at most `flushMs`.
   *
   * @throws TerminalError when the backend rejects this agent permanently. A refused message is no such rejection:
   * it costs its sender that message, never the agent.
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
    const outage = createOutageLog(log, {
      failed: "session ended; reconnecting",
      worked: "session reconnected",
    });
    let answeredAt: number | undefined;
    let active: string | undefined;
    const onAnswer = (): void => {
      answeredAt ??= clock.monotonic();
      outage.worked();
    };
    const session = {
      ...this.#options,
      welcomeMs: tuning.welcomeMs,
      onStandby: (activeInstanceId: string) => {
        onAnswer();
        if (active !== activeInstanceId) {
          active = activeInstanceId;
          log.info("session held by another agent of the cluster; waiting as a standby", { active });
        }
      },
      onWelcome: ({ epoch, storedScope }: Welcome) => {
        onAnswer();
        active = undefined;
        this.#storedScope = storedScope?.resourceTypes ?? [];
        counters.sessions++;
        log.info("session opened", { epoch });
        this.#welcomed.resolve();
      },
      onAcknowledged: (sequence: bigint) => {
        counters.acknowledged = sequence;
      },
      onRefused: (notice: RefusedItems) => this.#onRefused(notice),
    };
    while (!stop.aborted) {
      let retryAfterMs = 0;
      answeredAt = undefined;
      try {
        retryAfterMs = await runSession(signal, stop, session);
      } catch (error) {
        if (error instanceof InvalidArgumentError) {
          this.#withhold(error);
        } else if (error instanceof TerminalError && !stop.aborted) {
          throw error;
        }
        retryAfterMs = error instanceof RetryableError ? (error.retryAfterMs ?? 0) : 0;
        outage.failed(error, "info");
      }
      if (answeredAt !== undefined && clock.monotonic() - answeredAt >= STABLE_MS) {
        backoff.reset();
      }
      // The backend requests the same delay from all agents: the jitter spreads them.
      await sleepUnlessAborted(stop, clock, retryAfterMs * (1 + random.float() / 10) + backoff.nextMs());
    }
  }

  /** Withholds the refused items. A refusal of anything else is retried, because another backend may accept it. */
  #withhold(error: InvalidArgumentError): void {
    const { log, outbox } = this.#options;
    for (const item of outbox.refuse(error.violations)) {
      log.error("item refused by the backend; it is withheld until it changes", {
        item,
        error: error.message,
      });
    }
  }

  /** Reports items that the ingester refused. They are delivered, so nothing is sent again. */
  #onRefused({ sequence, resourceType, total, items }: RefusedItems): void {
    const { log, counters } = this.#options;
    counters.refused += total;
    log.warn("items refused by the ingester; their rows have no content", {
      ...(resourceType && { resourceType: formatResourceType(resourceType) }),
      items: total,
      first: items.slice(0, MAX_LOGGED_NAMES).map(({ ref }) => ref && formatKey(ref)),
      reason: items[0]?.reason,
      sequence,
    });
  }

  async #abortAfterFlush(signal: AbortSignal, flush: AbortController): Promise<void> {
    const { clock, tuning } = this.#options;
    await untilAborted(AbortSignal.any([signal, flush.signal]));
    await sleepUnlessAborted(flush.signal, clock, tuning.flushMs);
    flush.abort(signal.reason);
  }
}
