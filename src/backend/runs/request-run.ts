import type { Bus, Producer } from "../../bus/bus.ts";
import { encodeEvent } from "../../event/codec.ts";
import type { Clock } from "../../lib/clock.ts";
import { RetryableError, toMessage } from "../../lib/errors.ts";
import type { RequestedRun, RunRequest, RunStore } from "../../store/run-store.ts";
import type { Session } from "../sync/session.ts";
import type { SessionRegistry } from "../sync/session-registry.ts";

/** Initiator of the runs that the backend requests. */
export const INITIATOR = "evenkeel/backend";

export interface RequestRunOptions {
  readonly runs: RunStore;
  readonly registry: SessionRegistry;
  readonly bus: Pick<Bus, "isRemote">;
  readonly producer: Producer;
  readonly clock: Clock;
}

/**
 * Requests a run: first creates its row, which prevents a second run of the cluster, then publishes the
 * request. If the publish fails, the run fails immediately instead of at its deadline.
 *
 * A bus of a single process reaches only the sessions of this process, and only those that have declared their scope.
 * The request of another session is left to {@link publishLeftRequests} of its own process.
 *
 * @throws RetryableError if the publish fails, and the errors of {@link RunStore.createRun}.
 */
export async function requestRun(
  signal: AbortSignal,
  options: RequestRunOptions,
  run: Omit<RunRequest, "initiator">,
): Promise<RequestedRun> {
  const { runs, registry, bus } = options;
  const requested = await runs.createRun(signal, { ...run, initiator: INITIATOR });
  if (bus.isRemote || mayPublish(registry.find(requested.session), requested)) {
    await publishRequest(signal, options, requested);
  }
  return requested;
}

/**
 * Publishes the requests that other processes have created for these sessions and that only this process can publish.
 *
 * @throws RetryableError if a publish fails
 */
export async function publishLeftRequests(
  signal: AbortSignal,
  options: RequestRunOptions,
  sessions: readonly Session[],
): Promise<void> {
  const { runs, registry, bus } = options;
  if (bus.isRemote || sessions.length === 0) {
    return;
  }
  const identities = sessions.map(({ identity }) => identity);
  for (const requested of await runs.listRequested(signal, identities)) {
    if (mayPublish(registry.find(requested.session), requested)) {
      await publishRequest(signal, options, requested);
    }
  }
}

/** True if this process has the session, whose scope is in the stream, and has not published the request yet. */
function mayPublish(session: Session | undefined, { request }: RequestedRun): boolean {
  return session?.hasScope === true && session.claimRun(request.runId);
}

async function publishRequest(
  signal: AbortSignal,
  { runs, producer, clock }: RequestRunOptions,
  { session, clusterUid, request }: RequestedRun,
): Promise<void> {
  const body = { case: "reconciliationRequest", value: request } as const;
  try {
    const message = encodeEvent({ ...session, clusterUid }, { sequence: 0n, publishTime: clock.now(), body });
    await producer.publish(signal, message);
  } catch (cause) {
    const reason = `request of the run not published: ${toMessage(cause)}`;
    await runs.failRun(signal, session, request.runId, { reason: "BusUnavailable", message: reason });
    throw new RetryableError(reason, { cause });
  }
}
