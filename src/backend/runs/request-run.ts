import type { Producer } from "../../bus/bus.ts";
import { encodeEvent } from "../../event/codec.ts";
import type { Clock } from "../../lib/clock.ts";
import { RetryableError, toMessage } from "../../lib/errors.ts";
import type { RequestedRun, RunRequest, RunStore } from "../../store/run-store.ts";

/** Initiator of the runs that the backend requests. */
export const INITIATOR = "evenkeel/backend";

export interface RequestRunOptions {
  readonly runs: RunStore;
  readonly producer: Producer;
  readonly clock: Clock;
}

/**
 * Requests a run: first creates its row, which prevents a second run of the cluster, then publishes the
 * request. If the publish fails, the run fails immediately instead of at its deadline.
 *
 * @throws RetryableError if the publish fails, and the errors of {@link RunStore.createRun}.
 */
export async function requestRun(
  signal: AbortSignal,
  { runs, producer, clock }: RequestRunOptions,
  run: Omit<RunRequest, "initiator">,
): Promise<RequestedRun> {
  const requested = await runs.createRun(signal, { ...run, initiator: INITIATOR });
  const { session, clusterUid, request } = requested;
  const body = { case: "reconciliationRequest", value: request } as const;
  try {
    const message = encodeEvent({ ...session, clusterUid }, { sequence: 0n, publishTime: clock.now(), body });
    await producer.publish(signal, message);
  } catch (cause) {
    const reason = `request of the run not published: ${toMessage(cause)}`;
    await runs.failRun(signal, session, request.runId, { reason: "BusUnavailable", message: reason });
    throw new RetryableError(reason, { cause });
  }
  return requested;
}
