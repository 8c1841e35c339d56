import type { Producer } from "../../bus/bus.ts";
import { encodeEvent } from "../../event/codec.ts";
import type { Clock } from "../../lib/clock.ts";
import { RetryableError, toMessage } from "../../lib/errors.ts";
import type { RequestedRun, RunRequest, RunStore } from "../../store/run-store.ts";

/** Role in which the backend itself requests runs. */
export const INITIATOR = "evenkeel/backend";

/** What asking for a run needs. */
export interface RequestRunOptions {
  readonly runs: RunStore;
  readonly producer: Producer;
  readonly clock: Clock;
}

/**
 * Asks for a run: first its row, which keeps a second run of the cluster out, then the request on the bus. When the
 * bus does not take the request the run fails at once, and does not wait for its deadline.
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
    const reason = `the request did not reach the bus: ${toMessage(cause)}`;
    await runs.failRun(signal, session, request.runId, { reason: "BusUnavailable", message: reason });
    throw new RetryableError(reason, { cause });
  }
  return requested;
}
