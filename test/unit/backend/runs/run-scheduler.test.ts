import { randomUUID } from "node:crypto";
import { create } from "@bufbuild/protobuf";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ReconciliationTrigger } from "../../../../gen/proto/evenkeel/v1/batch_pb.ts";
import { SyncRequestSchema } from "../../../../gen/proto/evenkeel/v1/sync_service_pb.ts";
import { scheduleRuns } from "../../../../src/backend/runs/run-scheduler.ts";
import type { Session } from "../../../../src/backend/sync/session.ts";
import { SessionRegistry } from "../../../../src/backend/sync/session-registry.ts";
import { PublishRefusedError } from "../../../../src/bus/bus.ts";
import { ConflictError, RetryableError, TerminalError } from "../../../../src/lib/errors.ts";
import { createSeededRandom } from "../../../../src/lib/random.ts";
import type { RequestedRun } from "../../../../src/store/run-store.ts";
import { ControlledProducer } from "../../../support/backend/controlled-producer.ts";
import { RecordingRunStore } from "../../../support/backend/recording-run-store.ts";
import { createSession, requestOf } from "../../../support/backend/session-for-test.ts";
import { ManualClock } from "../../../support/manual-clock.ts";
import { createTestLog } from "../../../support/vitest/test-log.ts";

const SECOND = 1000;

const SCOPE = create(SyncRequestSchema, {
  sequence: 1n,
  message: { case: "scopeDeclared", value: { generation: 1n } },
});

describe("scheduleRuns", () => {
  let clock: ManualClock;
  let stop: AbortController;
  let registry: SessionRegistry;
  let runs: RecordingRunStore;
  let producer: ControlledProducer;
  let scheduling: Promise<void>;

  beforeEach(() => {
    clock = new ManualClock();
    stop = new AbortController();
    registry = new SessionRegistry();
    runs = new RecordingRunStore();
    producer = new ControlledProducer();
    producer.publish = async (_signal, message) => {
      producer.publishes.push({ message, receipt: Promise.withResolvers() });
    };
  });
  afterEach(async () => {
    stop.abort();
    await scheduling;
    expect(clock.pending).toBe(0);
  });

  const start = (isRemote = true): void => {
    scheduling = scheduleRuns(stop.signal, {
      bus: { isRemote },
      clock,
      random: createSeededRandom(1),
      log: createTestLog("scheduler"),
      registry,
      runs,
      producer,
      intervalMs: 60 * SECOND,
      runDeadlineMs: 30 * SECOND,
      retentionMs: 7_000,
    });
  };
  const hold = async (cluster: string, epoch = 7n): Promise<Session> => {
    const session = createSession({ cluster, epoch });
    await session.accept(stop.signal, SCOPE);
    registry.add(session);
    return session;
  };
  const started = () => runs.created.map(({ cluster }) => cluster);

  it("requests the runs that are due by stored times, for the sessions that it owns", async () => {
    await hold("c1");
    await hold("c2");
    runs.due = (held) => held.filter(({ cluster }) => cluster === "c2" && runs.created.length === 0);
    start();
    await clock.advance(3 * SECOND);
    expect(runs.created).toEqual([
      {
        account: "acme",
        cluster: "c2",
        initiator: "evenkeel/backend",
        trigger: ReconciliationTrigger.INTERVAL,
        deadlineMs: 30 * SECOND,
      },
    ]);
    expect(new Set(runs.intervals)).toEqual(new Set([60 * SECOND]));
    expect(producer.events).toMatchObject([
      {
        cluster: "c2",
        clusterUid: "uid-c2",
        epoch: 7n,
        sequence: 0n,
        body: { case: "reconciliationRequest" },
      },
    ]);
  });

  it("requests no run of a session whose agent has not declared its scope", async () => {
    registry.add(createSession({ cluster: "c1" }));
    await hold("c2");
    runs.due = (held) => (runs.created.length === 0 ? held : []);
    start();
    await clock.advance(2 * SECOND);
    expect(started()).toEqual(["c2"]);
  });

  it("begins the runs of other clusters while some wait or fail (I9)", async () => {
    for (let index = 0; index < 9; index += 1) {
      await hold(`c${index}`);
    }
    const gate = Promise.withResolvers<void>();
    const create = runs.createRun.bind(runs);
    runs.createRun = async (signal, run) => {
      if (["c0", "c1", "c2"].includes(run.cluster)) {
        await gate.promise;
      }
      if (["c3", "c4"].includes(run.cluster)) {
        throw new RetryableError("locked");
      }
      return await create(signal, run);
    };
    runs.due = (held) => held.filter(({ cluster }) => !started().includes(cluster));
    start();
    await clock.advance(0);
    expect(started().toSorted()).toEqual(["c5", "c6", "c7", "c8"]);
    gate.resolve();
    await clock.advance(SECOND);
    expect(started().toSorted()).toEqual(["c0", "c1", "c2", "c5", "c6", "c7", "c8"]);
  });

  it("starts a limited number of runs in one tick", async () => {
    for (let index = 0; index < 25; index += 1) {
      await hold(`c${index}`);
    }
    runs.due = (held) => held.filter(({ cluster }) => !started().includes(cluster));
    start();
    await clock.advance(0);
    expect(started()).toHaveLength(10);
    await clock.advance(2 * SECOND);
    expect(new Set(started()).size).toBe(25);
  });

  describe("over a bus of this process only (L15)", () => {
    const requestOn = (cluster: string, epoch = 7n, runId: string = randomUUID()): RequestedRun => ({
      session: { account: "acme", cluster, epoch },
      clusterUid: `uid-${cluster}`,
      request: requestOf(runId),
    });
    const requestedRuns = () =>
      producer.events.flatMap(({ body }) =>
        body.case === "reconciliationRequest" ? [body.value.runId] : [],
      );

    it("publishes once the requests that others have created for its own sessions", async () => {
      await hold("c1");
      const [own, other] = [requestOn("c1"), requestOn("c2")];
      runs.requested.push(own, other, requestOn("c1", 6n));
      start(false);
      await clock.advance(3 * SECOND);
      expect(requestedRuns()).toEqual([own.request.runId]);
    });

    it("waits until the agent has declared its scope", async () => {
      const session = createSession({ cluster: "c1", producer });
      registry.add(session);
      const run = requestOn("c1");
      runs.requested.push(run);
      start(false);
      await clock.advance(2 * SECOND);
      expect(requestedRuns()).toEqual([]);
      await session.accept(stop.signal, SCOPE);
      await clock.advance(SECOND);
      expect(requestedRuns()).toEqual([run.request.runId]);
    });

    it("leaves the request on connect to the session, which publishes it behind the scope", async () => {
      const run = requestOn("c1");
      const session = createSession({ cluster: "c1", producer, connectRun: run.request });
      registry.add(session);
      runs.requested.push(run);
      await session.accept(stop.signal, SCOPE);
      start(false);
      await clock.advance(2 * SECOND);
      expect(requestedRuns()).toEqual([run.request.runId]);
    });

    it("does not publish a request for a session that has moved to another process", async () => {
      await hold("c1", 6n);
      runs.due = (held) => (runs.created.length === 0 ? held : []);
      start(false);
      await clock.advance(2 * SECOND);
      expect([started(), requestedRuns(), runs.failed]).toEqual([["c1"], [], []]);
    });

    it("publishes the request of a run that it has created, once", async () => {
      await hold("c1");
      runs.due = (held) => (runs.created.length === 0 ? held : []);
      start(false);
      await clock.advance(0);
      runs.requested.push(requestOn("c1", 7n, requestedRuns()[0]));
      await clock.advance(2 * SECOND);
      expect(requestedRuns()).toHaveLength(1);
    });
  });

  it("ends runs past their deadline in each tick", async () => {
    await hold("c1");
    start();
    await clock.advance(4.5 * SECOND);
    expect(runs.expirations).toBe(5);
  });

  it("purges data older than the retention at intervals", async () => {
    start();
    await clock.advance(599 * SECOND);
    expect(runs.purges).toEqual([7_000]);
    await clock.advance(2 * SECOND);
    expect(runs.purges).toEqual([7_000, 7_000]);
  });

  it.each([
    ["another run is active", new ConflictError("another run is active")],
    ["the agent has left", new TerminalError("not connected")],
  ])("goes on with the other clusters when %s", async (_, error) => {
    await hold("c1");
    await hold("c2");
    runs.due = (held) => held.filter(({ cluster }) => !started().includes(cluster));
    runs.onCreate = ({ cluster }) => {
      if (cluster === "c1") {
        throw error;
      }
    };
    start();
    await clock.advance(0);
    expect(started()).toEqual(["c2"]);
  });

  it("retries in the next tick while the database is unreachable", async () => {
    await hold("c1");
    let isGone = true;
    runs.due = (held) => {
      if (isGone) {
        throw new RetryableError("Postgres is not available");
      }
      return started().length === 0 ? held : [];
    };
    start();
    await clock.advance(5 * SECOND);
    expect(started()).toEqual([]);
    isGone = false;
    await clock.advance(SECOND);
    expect(started()).toEqual(["c1"]);
  });

  it("fails a run immediately if the publish of its request fails", async () => {
    await hold("c1");
    runs.due = (held) => (started().length === 0 ? held : []);
    producer.publish = () => Promise.reject(new PublishRefusedError("refused"));
    start();
    await clock.advance(0);
    expect(runs.failed).toMatchObject([{ reason: "BusUnavailable" }]);
  });
});
