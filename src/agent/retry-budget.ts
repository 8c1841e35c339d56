import { ClusterChangedError } from "../kube/api-server.ts";
import { ExpiredError, KubeUnavailableError } from "../kube/kube-error.ts";
import { ConfigError, RetryableError, toMessage } from "../lib/errors.ts";
import { createBackoff, type RetryDecision } from "../lib/retry.ts";
import type { RetryLimits } from "./config.ts";
import type { ResourceContext } from "./resource-context.ts";

/**
 * Decides if the agent retries a failed request to the API server. Only an invalid configuration and another
 * cluster end the agent: a 403 or a 404 can pass when an administrator grants a role or installs an API.
 */
export function classifyError(error: unknown): RetryDecision {
  return error instanceof ConfigError || error instanceof ClusterChangedError ? "fail" : "retry";
}

/** Longest backoff, in milliseconds: other resource types may wait for the comparison. */
const MAX_BACKOFF_MS = 5_000;

/**
 * Retries of the requests of one comparison, all together. A transient answer (429, 5xx, a reset, a timeout, a
 * malformed response) uses one of them. Other errors, such as 403 or an expired list, are not retried.
 */
export class RetryBudget {
  readonly #context: Pick<ResourceContext, "clock" | "random" | "log" | "tuning">;
  readonly #maxDelayMs: number;
  readonly #backoff;
  #left: number;

  constructor(
    context: Pick<ResourceContext, "clock" | "random" | "log" | "tuning">,
    { maxRetries, maxDelayMs }: RetryLimits,
  ) {
    this.#context = context;
    this.#maxDelayMs = maxDelayMs;
    this.#left = maxRetries;
    const { initialMs, maxMs } = context.tuning.backoff;
    this.#backoff = createBackoff(context.random, { initialMs, maxMs: Math.min(maxMs, MAX_BACKOFF_MS) });
  }

  /**
   * Returns the result of the first attempt that succeeds.
   *
   * @throws the error of the last attempt, or the reason of `signal`.
   */
  async run<T>(signal: AbortSignal, attempt: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await attempt();
      } catch (error) {
        await this.waitAfter(signal, error);
      }
    }
  }

  /**
   * Waits before the next attempt: as long as the API server requests, but at least a backoff.
   *
   * @throws the error if no retry is left for it, or the reason of `signal`.
   */
  async waitAfter(signal: AbortSignal, error: unknown): Promise<void> {
    signal.throwIfAborted();
    const requestedMs = error instanceof RetryableError ? (error.retryAfterMs ?? 0) : 0;
    if (!isTransient(error) || this.#left === 0 || requestedMs > this.#maxDelayMs) {
      throw error;
    }
    this.#left--;
    const { clock, log } = this.#context;
    log.info("request of a comparison failed; retrying", { error: toMessage(error), left: this.#left });
    await clock.sleep(signal, Math.max(requestedMs, this.#backoff.nextMs()));
  }
}

function isTransient(error: unknown): boolean {
  // A list whose token expired was read too slowly: the next one would expire too.
  const isExpired =
    error instanceof ExpiredError || (error instanceof KubeUnavailableError && error.status === 410);
  return error instanceof RetryableError && !isExpired;
}
