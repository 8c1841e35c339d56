import { create } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { describe, expect, it } from "vitest";
import { BatchSchema, RefusedItemsSchema } from "../../../../gen/proto/evenkeel/v1/batch_pb.ts";
import { BadRequestSchema, RetryInfoSchema } from "../../../../gen/proto/google/rpc/error_details_pb.ts";
import { OpeningTurns } from "../../../../src/backend/sync/opening-turns.ts";
import { SessionRegistry } from "../../../../src/backend/sync/session-registry.ts";
import { StandbyRegistry } from "../../../../src/backend/sync/standby-registry.ts";
import { createSyncService } from "../../../../src/backend/sync/sync-service.ts";
import { createMemoryBus } from "../../../../src/bus/memory/memory-bus.ts";
import { type Clock, createSystemClock } from "../../../../src/lib/clock.ts";
import { MemoryBudget } from "../../../../src/lib/memory-budget.ts";
import { noTracer } from "../../../../src/lib/telemetry.ts";
import type { Identity } from "../../../../src/rpc/auth/authenticator.ts";
import { ControlledProducer, turn } from "../../../support/backend/controlled-producer.ts";
import { RecordingSessionStore } from "../../../support/backend/recording-session-store.ts";
import { ScriptedAgent, type ScriptedMessage } from "../../../support/backend/scripted-agent.ts";
import { ManualClock } from "../../../support/manual-clock.ts";
import { serveForTest } from "../../../support/rpc/serve-for-test.ts";
import { createTestLog } from "../../../support/vitest/test-log.ts";

const STREAM_BYTES = 96 * 1024;

const SCOPE: ScriptedMessage = {
  case: "scopeDeclared",
  value: { generation: 1n, resources: [{ resourceType: { version: "v1", resource: "pods" } }] },
};

function batch(name = "x"): ScriptedMessage {
  return {
    case: "batch",
    value: {
      resourceType: { version: "v1", resource: "pods" },
      type: 1,
      items: [{ message: { case: "deleteObject", value: { ref: { namespace: "a", name }, reason: 1 } } }],
    },
  };
}

const createBudget = (): MemoryBudget => new MemoryBudget(64 * 1024 * 1024);

/** The service behind all layers of the port, over a bus whose receipts the test controls. */
async function serveSync(
  clock: Clock = createSystemClock(),
  identity: Identity = { account: "default" },
  { agents = createBudget(), messages = createBudget() } = {},
) {
  const registry = new SessionRegistry();
  const standbys = new StandbyRegistry();
  const sessions = new RecordingSessionStore();
  const producer = new ControlledProducer();
  const sync = createSyncService({
    sessions,
    registry,
    standbys,
    turns: new OpeningTurns(),
    memory: { agents, messages },
    producer,
    bus: createMemoryBus(),
    replyTopic: "replies/test",
    clock,
    log: createTestLog("backend"),
    tracer: noTracer,
    runDeadlineMs: 1000,
  });
  const server = await serveForTest(
    { sync },
    { clock, memory: messages, authenticator: { authenticate: async () => identity } },
  );
  const connected: ScriptedAgent[] = [];
  return {
    registry,
    standbys,
    sessions,
    producer,
    close: server.close,
    connect(): ScriptedAgent {
      const agent = new ScriptedAgent(server.url);
      connected.push(agent);
      return agent;
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(connected.map((agent) => agent[Symbol.asyncDispose]()));
      await server.close();
    },
  };
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) {
    await turn();
  }
}

/** Returns the error that ended the session. */
async function endOf(agent: ScriptedAgent): Promise<ConnectError> {
  for (;;) {
    try {
      await agent.next();
    } catch (error) {
      return ConnectError.from(error);
    }
  }
}

function fieldsOf(error: ConnectError): string[] {
  return error
    .findDetails(BadRequestSchema)
    .flatMap(({ fieldViolations }) => fieldViolations.map(({ field }) => field));
}

describe("SyncService", () => {
  it("answers Hello with Welcome, the epoch and the limits", async () => {
    await using service = await serveSync();
    const agent = service.connect();
    agent.sendAs(0n, {
      case: "hello",
      value: { cluster: "c1", clusterUid: "uid-1", instanceId: "agent-1", agentVersion: "1.2" },
    });
    const { message } = await agent.next();
    expect(message).toMatchObject({ case: "welcome", value: { epoch: 1n } });
    expect(message.case === "welcome" && message.value.limits?.maxUnacknowledgedBytes).toBeGreaterThan(0n);
    expect(service.sessions.opened).toMatchObject([
      {
        account: "default",
        cluster: "c1",
        agentVersion: "1.2",
        replyTopic: "replies/test",
      },
    ]);
  });

  it("opens one session of a cluster at a time, however often its agent reconnects (L18)", async () => {
    await using service = await serveSync();
    const gate = Promise.withResolvers<void>();
    const openSession = service.sessions.openSession.bind(service.sessions);
    let opening = 0;
    service.sessions.openSession = async (signal, request) => {
      opening += 1;
      await gate.promise;
      return await openSession(signal, request);
    };
    const early = [service.connect(), service.connect()];
    const opened = early.map((agent) => agent.open().catch(() => undefined));
    await until(() => opening > 0);
    await Promise.all(early.map((agent) => agent[Symbol.asyncDispose]()));
    const last = service.connect();
    const epoch = last.open();
    await turn();
    expect(opening).toBe(1);
    gate.resolve();
    expect(await epoch).toBeGreaterThan(0n);
    await Promise.all(opened);
  });

  it("acknowledges messages after the bus has stored them (R19)", async () => {
    await using service = await serveSync();
    const agent = service.connect();
    await agent.open();
    agent.send(SCOPE);
    agent.send(batch());
    await until(() => service.producer.publishes.length === 3);
    const next = agent.next();
    let isAnswered = false;
    void next.then(() => {
      isAnswered = true;
    });
    await service.producer.receive(1);
    await service.producer.receive(2);
    expect(isAnswered).toBe(false);
    await service.producer.receive(0);
    expect((await next).message).toMatchObject({ case: "acknowledgement", value: { sequence: 2n } });
  });

  it("charges messages until they are stored, and a stream until it ends (L35)", async () => {
    const [agents, messages] = [createBudget(), createBudget()];
    await using service = await serveSync(undefined, undefined, { agents, messages });
    const agent = service.connect();
    await agent.open();
    await until(() => messages.bytes === 0);
    expect(agents.bytes).toBe(STREAM_BYTES);
    agent.send(SCOPE);
    agent.send(batch());
    await until(() => service.producer.publishes.length === 3);
    expect(messages.bytes).toBeGreaterThan(0);
    for (const at of [0, 1, 2]) {
      await service.producer.receive(at);
    }
    await until(() => messages.bytes === 0);
    agent.send(batch());
    await until(() => service.producer.publishes.length === 4);
    await agent[Symbol.asyncDispose]();
    await service.producer.receive(3);
    await until(() => messages.bytes + agents.bytes === 0);
  });

  it("stays within its memory while nothing is stored, and stores everything later (L35)", async () => {
    // An eighth of the room is 21 KiB, and each message takes more than 2 KiB.
    const messages = new MemoryBudget(230 * 1024);
    await using service = await serveSync(undefined, undefined, { messages });
    const agent = service.connect();
    await agent.open();
    agent.send(SCOPE);
    for (let sent = 0; sent < 20; sent++) {
      agent.send(batch("x".repeat(900)));
    }
    let [stored, most] = [0, 0];
    for (; stored < 22; stored++) {
      await until(() => service.producer.publishes.length > stored);
      most = Math.max(most, service.producer.publishes.length - stored);
      await service.producer.receive(stored);
    }
    expect(most).toBeLessThanOrEqual(10);
    await until(() => messages.bytes === 0);
  });

  it("refuses the stream of an agent without memory for it (L35)", async () => {
    const agents = new MemoryBudget(1024 * 1024);
    agents.of("default").hold(700 * 1024);
    await using service = await serveSync(undefined, undefined, { agents });
    const agent = service.connect();
    agent.sendAs(0n, { case: "hello", value: { cluster: "c1", clusterUid: "uid-1", instanceId: "agent-1" } });
    const error = await endOf(agent);
    expect(error).toMatchObject({ code: Code.ResourceExhausted });
    expect(error.rawMessage).toMatch(/^Sync: the server's memory for account "default" is in use/);
    expect(error.findDetails(RetryInfoSchema)).toHaveLength(1);
    expect(agents.bytes).toBe(700 * 1024);
  });

  it("publishes the connect run behind the first scope (R13)", async () => {
    await using service = await serveSync();
    const agent = service.connect();
    await agent.open();
    agent.send(SCOPE);
    agent.send(batch());
    await until(() => service.producer.publishes.length === 3);
    expect(service.producer.events.map(({ body }) => body.case)).toEqual([
      "scopeDeclared",
      "reconciliationRequest",
      "batch",
    ]);
  });

  it("ends the older session of a process with ABORTED when a newer one opens (R14)", async () => {
    await using service = await serveSync();
    const older = service.connect();
    await older.open();
    const newer = service.connect();
    expect(await newer.open()).toBe(2n);
    expect(await endOf(older)).toMatchObject({ code: Code.Aborted });
    newer.send(SCOPE);
    await until(() => service.producer.publishes.length > 0);
    await until(() => service.sessions.closed.length === 1);
    expect(service.sessions.closed).toEqual([{ account: "default", cluster: "c1", epoch: 1n }]);
    expect(service.registry.list().map(({ identity }) => identity.epoch)).toEqual([2n]);
  });

  it("R61: parks another agent of the cluster, and gives it the session when that ends", async () => {
    await using service = await serveSync();
    const active = service.connect();
    await active.open();
    const standby = service.connect();
    await standby.park();
    expect(service.standbys.list().map(({ agent }) => agent.instanceId)).toEqual(["agent-2"]);
    // A wake without a reason changes nothing.
    service.standbys.list()[0]?.wake();
    expect((await standby.next()).message).toMatchObject({ case: "standby" });
    active.end();
    await until(() => service.sessions.closed.length === 1);
    service.standbys.list()[0]?.wake();
    expect((await standby.next()).message).toMatchObject({ case: "welcome", value: { epoch: 2n } });
    standby.send(SCOPE);
    await until(() => service.producer.publishes.length > 0);
    expect(service.standbys.list()).toEqual([]);
  });

  it("R61: gives a standby the session of a silent agent, and ends that", async () => {
    await using service = await serveSync();
    const active = service.connect();
    await active.open();
    const standby = service.connect();
    await standby.park();
    service.sessions.silent.add("c1");
    service.standbys.list()[0]?.wake();
    expect((await standby.next()).message).toMatchObject({ case: "welcome", value: { epoch: 2n } });
    expect(await endOf(active)).toMatchObject({ code: Code.Aborted });
  });

  it("R61: repeats the notice to a standby every ten seconds", async () => {
    const clock = new ManualClock();
    await using service = await serveSync(clock);
    await service.connect().open();
    const standby = service.connect();
    await standby.park();
    await clock.advance(10_000);
    expect((await standby.next()).message).toMatchObject({
      case: "standby",
      value: { activeInstanceId: "agent-1" },
    });
  });

  it("R61: drains a standby, and forgets one that disappears", async () => {
    await using service = await serveSync();
    await service.connect().open();
    const drained = service.connect();
    await drained.park();
    service.standbys.list()[0]?.drain(1_500);
    expect((await drained.next()).message).toMatchObject({
      case: "drain",
      value: { retryAfter: { seconds: 1n } },
    });
    await expect(drained.next()).rejects.toThrow("the session has ended");
    const gone = service.connect();
    await gone.park("agent-3");
    await gone[Symbol.asyncDispose]();
    await until(() => service.standbys.list().length === 0);
    await until(() => service.sessions.removedStandbys.length === 2);
    expect(service.sessions.removedStandbys.map(({ instanceId }) => instanceId)).toEqual([
      "agent-2",
      "agent-3",
    ]);
  });

  it("R61: limits the standbys of a cluster, and ends the older stream of the same process", async () => {
    await using service = await serveSync();
    await service.connect().open();
    const first = service.connect();
    await first.park("standby-0");
    await service.connect().park("standby-0");
    expect(await endOf(first)).toMatchObject({ code: Code.Aborted });
    for (let index = 1; index < 8; index += 1) {
      await service.connect().park(`standby-${index}`);
    }
    const surplus = service.connect();
    await expect(surplus.park("standby-8")).rejects.toMatchObject({ code: Code.Unavailable });
    expect(service.standbys.list()).toHaveLength(8);
  });

  it("refuses a bad field with INVALID_ARGUMENT and its path, and applies no part of that message", async () => {
    await using service = await serveSync();
    const agent = service.connect();
    await agent.open({ cluster: "c1" });
    agent.send(SCOPE);
    agent.send(batch(".."));
    const error = await endOf(agent);
    expect(error.code).toBe(Code.InvalidArgument);
    expect(fieldsOf(error)).toEqual(["batch.items[0].delete_object.ref.name"]);
    expect(service.producer.events.map(({ body }) => body.case)).not.toContain("batch");
  });

  it.each<[string, (agent: ScriptedAgent) => void, string]>([
    ["a first message that is not Hello", (agent) => agent.sendAs(1n, SCOPE), "message"],
    ["the end of the stream in place of Hello", (agent) => agent.end(), "message"],
    [
      "a Hello with a bad name",
      (agent) =>
        agent.sendAs(0n, { case: "hello", value: { cluster: "C 1", clusterUid: "u", instanceId: "i" } }),
      "hello.cluster",
    ],
  ])("refuses %s with INVALID_ARGUMENT", async (_, begin, field) => {
    await using service = await serveSync();
    const agent = service.connect();
    begin(agent);
    const error = await endOf(agent);
    expect(error.code).toBe(Code.InvalidArgument);
    expect(fieldsOf(error)).toEqual([field]);
    expect(service.sessions.opened).toEqual([]);
  });

  it("ends the stream of a silent agent", async () => {
    const clock = new ManualClock();
    await using service = await serveSync(clock);
    const agent = service.connect();
    const ended = endOf(agent);
    await until(() => clock.pending > 0);
    await clock.advance(15_000);
    expect((await ended).code).toBe(Code.DeadlineExceeded);
    expect(service.sessions.opened).toEqual([]);
  });

  it("refuses a sequence that is not the next one with INVALID_ARGUMENT", async () => {
    await using service = await serveSync();
    const agent = service.connect();
    await agent.open();
    agent.send(SCOPE);
    agent.sendAs(3n, batch());
    const error = await endOf(agent);
    expect([error.code, fieldsOf(error)]).toEqual([Code.InvalidArgument, ["sequence"]]);
  });

  it("refuses another cluster of the same name with FAILED_PRECONDITION, and keeps the open session (R15)", async () => {
    await using service = await serveSync();
    const bound = service.connect();
    await bound.open();
    const clone = service.connect();
    await expect(clone.open({ clusterUid: "uid-2", instanceId: "agent-2" })).rejects.toMatchObject({
      code: Code.FailedPrecondition,
    });
    expect(service.registry.list().map(({ identity }) => identity.epoch)).toEqual([1n]);
  });

  it("ends the session with UNAVAILABLE after a publish without receipt, so that the agent sends again (R29)", async () => {
    await using service = await serveSync();
    const agent = service.connect();
    await agent.open();
    agent.send(SCOPE);
    await until(() => service.producer.publishes.length === 2);
    await service.producer.fail(0, new Error("no receipt"));
    expect(await endOf(agent)).toMatchObject({ code: Code.Unavailable });
    await until(() => service.sessions.closed.length === 1);
    // R61: no standby takes over, because it would meet the same outage.
    expect(service.sessions.reserved).toEqual([1n]);
    expect(service.registry.list()).toEqual([]);
  });

  it("sends Drain, and stores earlier messages of the agent", async () => {
    await using service = await serveSync();
    const agent = service.connect();
    await agent.open();
    agent.send(SCOPE);
    await until(() => service.producer.publishes.length === 2);
    const [session] = service.registry.list();
    session?.outbox.drain(1500);
    expect((await agent.next()).message).toMatchObject({
      case: "drain",
      value: { retryAfter: { seconds: 1n } },
    });
    expect(service.sessions.closed).toEqual([]);
    await service.producer.receive(0);
    await service.producer.receive(1);
    await expect(agent.next()).rejects.toThrow("the session has ended");
    await until(() => service.sessions.closed.length === 1);
    expect(service.sessions.reserved).toEqual([1n]);
  });

  it("R61: closes the session of an agent that ends its stream, and of one that disappears", async () => {
    await using service = await serveSync();
    const polite = service.connect();
    await polite.open();
    polite.end();
    await expect(polite.next()).rejects.toThrow("the session has ended");
    const gone = service.connect();
    await gone.open({ cluster: "c2" });
    await gone[Symbol.asyncDispose]();
    await until(() => service.sessions.closed.length === 2);
    expect(service.sessions.reserved).toEqual([]);
    expect(service.registry.list()).toEqual([]);
  });

  it("sends messages without waiting for the agent's next message", async () => {
    await using service = await serveSync();
    const agent = service.connect();
    await agent.open();
    const resourceType = { version: "v1", resource: "pods" };
    service.registry.list()[0]?.outbox.offer(create(BatchSchema, { resourceType, type: 2 }));
    expect((await agent.next()).message).toMatchObject({ case: "batch", value: { type: 2 } });
  });

  it("R94: sends a notice of refused items to the agent", async () => {
    await using service = await serveSync();
    const agent = service.connect();
    await agent.open();
    const items = [{ ref: { namespace: "a", name: "x" }, reason: "not canonical" }];
    const notice = create(RefusedItemsSchema, { sequence: 2n, total: 1, items });
    service.registry.list()[0]?.outbox.notify(notice);
    expect((await agent.next()).message).toMatchObject({ case: "refusedItems", value: { total: 1, items } });
  });

  it("takes the account from the caller's identity, and accepts any cluster of it", async () => {
    await using service = await serveSync(createSystemClock(), { account: "shop" });
    await service.connect().open({ cluster: "c1" });
    await service.connect().open({ cluster: "c2" });
    expect(service.sessions.opened.map(({ account, cluster }) => [account, cluster])).toEqual([
      ["shop", "c1"],
      ["shop", "c2"],
    ]);
  });

  it("refuses a Hello of a cluster outside the caller's identity, before it opens a session", async () => {
    await using service = await serveSync(createSystemClock(), { account: "shop", cluster: "c1" });
    await expect(service.connect().open({ cluster: "c2" })).rejects.toMatchObject({
      code: Code.PermissionDenied,
      rawMessage: 'token: expected cluster "c1", found "c2"; use a token of that cluster',
    });
    expect(service.sessions.opened).toEqual([]);
    await service.connect().open({ cluster: "c1" });
    expect(service.sessions.opened).toMatchObject([{ account: "shop", cluster: "c1" }]);
  });

  it("ends the session with UNAUTHENTICATED when the caller's identity expires, and accepts nothing more", async () => {
    const clock = new ManualClock();
    const expiresAt = new Date(clock.now().getTime() + 3_600_000);
    await using service = await serveSync(clock, { account: "default", expiresAt });
    const agent = service.connect();
    await agent.open();
    agent.send(SCOPE);
    await until(() => service.producer.publishes.length === 2);
    const ended = endOf(agent);
    await clock.advance(3_600_000);
    expect(await ended).toMatchObject({ code: Code.Unauthenticated });
    agent.send(batch());
    await until(() => service.sessions.closed.length === 1);
    expect(service.registry.list()).toEqual([]);
    expect(service.producer.events.map(({ body }) => body.case)).not.toContain("batch");
  });
});
