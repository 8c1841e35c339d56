import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { NEVER, waitFor, withinDeadline } from "../../lib/abort.ts";
import type { Clock } from "../../lib/clock.ts";
import { toMessage } from "../../lib/errors.ts";
import type { Log } from "../../lib/log.ts";
import type { OpenedSession, SessionRequest, SessionStore } from "../../store/session-store.ts";
import type { Response } from "./downstream.ts";
import type { OpeningTurns } from "./opening-turns.ts";
import type { Standby, StandbyEvent, StandbyRegistry } from "./standby-registry.ts";

export interface AdmitAgentOptions {
  readonly sessions: SessionStore;
  readonly standbys: StandbyRegistry;
  readonly turns: OpeningTurns;
  readonly clock: Clock;
  readonly log: Log;
}

/** Interval between two notices to a standby, in milliseconds. The agent then knows that this backend lives. */
const NOTICE_MS = 10_000;

/** Time to store the end of a standby, in milliseconds. */
const REMOVE_TIMEOUT_MS = 5_000;

/**
 * Opens the session of an agent. While another agent of the cluster has the session, parks the stream: yields a notice
 * every ten seconds, and opens the session when it is vacant. Returns undefined if the agent was drained instead.
 *
 * @throws the errors of {@link SessionStore.openSession} and {@link StandbyRegistry.add}
 */
export async function* admitAgent(
  signal: AbortSignal,
  options: AdmitAgentOptions,
  request: Omit<SessionRequest, "mayReplaceSilent">,
): AsyncGenerator<Response, OpenedSession | undefined, undefined> {
  const { sessions, standbys, turns, log } = options;
  const open = (mayReplaceSilent: boolean): ReturnType<SessionStore["openSession"]> =>
    turns.run(signal, request, () => sessions.openSession(signal, { ...request, mayReplaceSilent }));
  const first = await open(false);
  if (first.type === "opened") {
    return first;
  }
  const { account, cluster, instanceId, agentVersion } = request;
  const standby = standbys.add({ account, cluster, instanceId, agentVersion });
  const standbyLog = log.with({ account, cluster, agent: instanceId });
  standbyLog.info("standby registered", { active: first.activeInstanceId });
  let { activeInstanceId } = first;
  try {
    for (;;) {
      yield { message: { case: "standby", value: { activeInstanceId } } };
      const event = await nextEvent(signal, options, standby);
      if (event?.type === "drain") {
        const value = { retryAfter: durationFromMs(event.retryAfterMs) };
        yield { message: { case: "drain", value } };
        return undefined;
      }
      if (event?.type === "vacant") {
        const outcome = await open(true);
        if (outcome.type === "opened") {
          return outcome;
        }
        activeInstanceId = outcome.activeInstanceId;
      }
    }
  } finally {
    standbys.remove(standby);
    void removeStored(options, standby, standbyLog);
  }
}

/** Waits for an event of the standby. Returns undefined when the next notice is due. */
async function nextEvent(
  signal: AbortSignal,
  { clock }: AdmitAgentOptions,
  standby: Standby,
): Promise<StandbyEvent | undefined> {
  const wait = (until: AbortSignal): Promise<StandbyEvent | undefined> => standby.next(until);
  return await withinDeadline(signal, clock, NOTICE_MS, wait, () => undefined);
}

/** Removes the stored standby. Never rejects: an entry that is left is not counted after half a minute. */
async function removeStored(
  { sessions, clock }: AdmitAgentOptions,
  { agent }: Standby,
  log: Log,
): Promise<void> {
  using deadline = clock.deadline(NEVER, REMOVE_TIMEOUT_MS);
  try {
    await waitFor(deadline.signal, sessions.removeStandby(deadline.signal, agent));
  } catch (error) {
    log.warn("end of the standby not stored", { error: toMessage(error) });
  }
}
