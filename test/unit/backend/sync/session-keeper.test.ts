import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { keepStreams } from "../../../../src/backend/sync/session-keeper.ts";
import { SessionRegistry } from "../../../../src/backend/sync/session-registry.ts";
import { StandbyRegistry } from "../../../../src/backend/sync/standby-registry.ts";
import { ConflictError, RetryableError } from "../../../../src/lib/errors.ts";
import { RecordingSessionStore } from "../../../support/backend/recording-session-store.ts";
import { createSession } from "../../../support/backend/session-for-test.ts";
import { ManualClock } from "../../../support/manual-clock.ts";
import { createTestLog } from "../../../support/vitest/test-log.ts";

describe("keepStreams", () => {
  let clock: ManualClock;
  let stop: AbortController;
  let registry: SessionRegistry;
  let standbys: StandbyRegistry;
  let sessions: RecordingSessionStore;
  let keeping: Promise<void>;

  beforeEach(() => {
    clock = new ManualClock();
    stop = new AbortController();
    registry = new SessionRegistry();
    standbys = new StandbyRegistry();
    sessions = new RecordingSessionStore();
  });
  afterEach(async () => {
    stop.abort();
    await keeping;
    expect(clock.pending).toBe(0);
  });

  const start = (): void => {
    keeping = keepStreams(stop.signal, { clock, log: createTestLog(), registry, standbys, sessions });
  };
  const park = (cluster: string, instanceId = "agent-2") =>
    standbys.add({ account: "acme", cluster, instanceId, agentVersion: "" });

  it("confirms the sessions of this backend each second", async () => {
    registry.add(createSession({ cluster: "c1" }));
    start();
    await clock.advance(4_500);
    expect(sessions.kept.map((kept) => kept.map(({ cluster }) => cluster))).toEqual(Array(5).fill(["c1"]));
    expect(sessions.keptStandbys).toEqual([]);
  });

  it("ends a session that a session at another backend has replaced (R14)", async () => {
    const session = createSession({ cluster: "c1", epoch: 7n });
    const other = createSession({ cluster: "c2", epoch: 8n });
    registry.add(session);
    registry.add(other);
    sessions.ended = [{ type: "replaced", session: session.identity }];
    start();
    await clock.advance(0);
    await expect(session.outbox.take(stop.signal).next()).rejects.toThrow(ConflictError);
    other.outbox.acknowledge(1n);
    expect((await other.outbox.take(stop.signal).next()).done).toBe(false);
  });

  it("R71: ends a session that lost its scope, so that its agent connects again", async () => {
    const session = createSession({ cluster: "c1", epoch: 7n });
    registry.add(session);
    sessions.ended = [{ type: "restart", session: session.identity, reason: "scope: generation 2 was lost" }];
    start();
    await clock.advance(0);
    const lost = session.outbox.take(stop.signal).next();
    await expect(lost).rejects.toThrow(RetryableError);
    await expect(lost).rejects.toThrow("generation 2 was lost");
  });

  it("R61: wakes a standby whose cluster is vacant within a second, and no other", async () => {
    await sessions.openSession(stop.signal, requestFor("held", "agent-1"));
    const [vacant, held] = [park("vacant"), park("held")];
    start();
    await clock.advance(0);
    expect(await vacant.next(stop.signal)).toEqual({ type: "vacant" });
    const event = held.next(stop.signal);
    let isWoken = false;
    void event.then(() => {
      isWoken = true;
    });
    await clock.advance(10_000);
    expect(isWoken).toBe(false);
    sessions.silent.add("held");
    await clock.advance(1_000);
    expect(await event).toEqual({ type: "vacant" });
  });

  it("R61: continues when the database does not answer", async () => {
    registry.add(createSession({ cluster: "c1" }));
    const standby = park("vacant");
    let isGone = true;
    const keep = sessions.keepSessions.bind(sessions);
    sessions.keepSessions = async (signal, own) => {
      if (isGone) {
        throw new RetryableError("Postgres is not available");
      }
      return await keep(signal, own);
    };
    start();
    await clock.advance(5_000);
    expect(sessions.keptStandbys).toEqual([]);
    isGone = false;
    await clock.advance(1_000);
    expect(await standby.next(stop.signal)).toEqual({ type: "vacant" });
  });
});

function requestFor(cluster: string, instanceId: string) {
  return {
    ...{ account: "acme", cluster, clusterUid: "uid-1", instanceId, agentVersion: "", kubernetesVersion: "" },
    ...{
      initiator: "test",
      replyTopic: "replies/1",
      runDeadlineMs: 1,
      mayReplaceSilent: false,
    },
  };
}
