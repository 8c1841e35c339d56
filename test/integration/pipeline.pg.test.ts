import { create } from "@bufbuild/protobuf";
import { afterEach, beforeEach, expect, it } from "vitest";
import { type Batch, BatchType, type RunRef } from "../../gen/proto/evenkeel/v1/batch_pb.ts";
import { ResourceReconciledSchema } from "../../gen/proto/evenkeel/v1/reconciliation_pb.ts";
import type { ResourceType } from "../../gen/proto/evenkeel/v1/resource_pb.ts";
import { type Backend, createBackend } from "../../src/backend/backend.ts";
import type { OutgoingMessage, Producer } from "../../src/bus/bus.ts";
import { createMemoryBus, type MemoryBus, type PublishOutcome } from "../../src/bus/memory/memory-bus.ts";
import { INGESTER_SUBSCRIPTION, TOPICS } from "../../src/event/topics.ts";
import { createIngester } from "../../src/ingester/ingester.ts";
import { createSystemClock } from "../../src/lib/clock.ts";
import { MemoryBudget } from "../../src/lib/memory-budget.ts";
import { createSystemRandom } from "../../src/lib/random.ts";
import { supervise } from "../../src/lib/supervise.ts";
import { noMetrics, noTracer } from "../../src/lib/telemetry.ts";
import { createAnonymousAuthenticator } from "../../src/rpc/auth/authenticator.ts";
import { type RpcServer, serve } from "../../src/rpc/server/serve.ts";
import { createDatabase, type Database } from "../../src/store/postgres/database.ts";
import { createPgIngestStore } from "../../src/store/postgres/pg-ingest-store.ts";
import { createPgRunStore } from "../../src/store/postgres/pg-run-store.ts";
import { createPgSessionStore } from "../../src/store/postgres/pg-session-store.ts";
import { ScriptedAgent, type ScriptedMessage } from "../support/backend/scripted-agent.ts";
import { describeWithPostgres } from "../support/postgres/postgres.ts";
import { batch, CONFIG_MAPS, PODS, put, remove } from "../support/store/messages.ts";
import { createTestLog } from "../support/vitest/test-log.ts";

const SCOPE: ScriptedMessage = {
  case: "scopeDeclared",
  value: { generation: 1n, resources: [{ resourceType: PODS }, { resourceType: CONFIG_MAPS }] },
};

/** Returns a batch of observations. */
function batchOf(...items: Parameters<typeof batch>[0]): ScriptedMessage {
  return { case: "batch", value: batch(items) };
}

describeWithPostgres("from the agent's stream to the rows", (provided) => {
  let stop: AbortController;
  let database: Database;
  let bus: MemoryBus;
  let backend: Backend;
  let server: RpcServer;
  let roles: Promise<unknown>;
  let agents: ScriptedAgent[];
  let cluster: string;
  let fateOf: (topic: string) => PublishOutcome;
  /** True for messages that the broker confirms and then loses. */
  let isLost: (message: OutgoingMessage) => boolean;

  beforeEach(async () => {
    stop = new AbortController();
    const { signal } = stop;
    const [clock, random, log] = [createSystemClock(), createSystemRandom(), createTestLog()];
    cluster = `cluster-${random.uuid()}`;
    agents = [];
    fateOf = () => "store";
    isLost = () => false;
    bus = createMemoryBus({ outcomeFor: (topic) => fateOf(topic) });
    const createProducer = bus.createProducer.bind(bus);
    bus.createProducer = async (...options) => {
      const producer = await createProducer(...options);
      const publish: Producer["publish"] = async (caller, message) =>
        isLost(message) ? undefined : await producer.publish(caller, message);
      return { ...producer, publish };
    };
    database = createDatabase({ url: provided.url });
    const memory = new MemoryBudget(64 * 1024 * 1024);
    backend = await createBackend(signal, {
      bus,
      memory: { agents: memory, messages: memory },
      clock,
      random,
      log,
      metrics: noMetrics,
      tracer: noTracer,
      sessions: createPgSessionStore(database, random),
      runs: createPgRunStore(database, random),
      intervalMs: 3_600_000,
      runDeadlineMs: 60_000,
      retentionMs: 3_600_000,
    });
    const ingester = createIngester({
      bus,
      store: createPgIngestStore(database),
      clock,
      random,
      log,
      metrics: noMetrics,
      tracer: noTracer,
    });
    server = await serve(signal, {
      host: "127.0.0.1",
      port: 0,
      routes: (router) => backend.routes(router),
      authenticator: createAnonymousAuthenticator(),
      memory,
      clock,
      log,
    });
    roles = Promise.all([
      backend.run(signal),
      supervise(signal, { clock, random, log, name: "ingester" }, (s) => ingester.run(s)),
    ]);
  });
  afterEach(async () => {
    await Promise.all(agents.map((agent) => agent[Symbol.asyncDispose]()));
    stop.abort(new Error("the test has ended"));
    await roles;
    await server.close();
    await bus.close();
    await database[Symbol.asyncDispose]();
  });

  const connect = async (): Promise<ScriptedAgent> => {
    const agent = new ScriptedAgent(server.url);
    agents.push(agent);
    await agent.open({ cluster });
    agent.send(SCOPE);
    return agent;
  };
  const query = async <T extends object>(text: string): Promise<T[]> =>
    (await database.pool.query(text, [cluster])).rows as T[];
  /** Polls until the result is the expected one. */
  const become = async (look: () => Promise<unknown>, expected: unknown): Promise<void> => {
    await expect.poll(look, { interval: 10 }).toEqual(expected);
  };
  const rows = async (): Promise<Record<string, string>> => {
    const found = await query<{ key: string; version: string }>(
      `SELECT namespace || '/' || name AS key, resource_version AS version FROM kubernetes_object
       WHERE cluster = $1 AND state = 'present' ORDER BY 1`,
    );
    return Object.fromEntries(found.map(({ key, version }) => [key, version]));
  };
  const runStates = async (): Promise<string[]> =>
    (
      await query<{ state: string }>(
        "SELECT state FROM reconciliation_run WHERE cluster = $1 ORDER BY started_at",
      )
    ).map(({ state }) => state);
  /** Returns the next chunks of the session's inventories. */
  const inventory = async (agent: ScriptedAgent): Promise<Batch> => {
    for (;;) {
      const { message } = await agent.next();
      if (message.case === "batch" && message.value.type === BatchType.RECONCILIATION) {
        return message.value;
      }
    }
  };
  const inventories = async (agent: ScriptedAgent): Promise<Batch[]> => {
    // The resource type that was verified longest ago comes first.
    const chunks = [await inventory(agent), await inventory(agent)].toSorted((a, b) =>
      (a.resourceType?.resource ?? "") < (b.resourceType?.resource ?? "") ? -1 : 1,
    );
    expect(chunks.map(({ resourceType, chunk }) => [resourceType?.resource, chunk?.range?.through])).toEqual([
      ["configmaps", undefined],
      ["pods", undefined],
    ]);
    return chunks;
  };
  /** Ends a comparison; by default, every object in the inventory was listed and equal. */
  const end = (
    chunk: Batch,
    listVersion: string,
    firstSequence: bigint,
    counts: { readonly listed?: bigint; readonly equal?: bigint; readonly put?: bigint } = {},
  ): ScriptedMessage => ({
    case: "resourcesReconciled",
    value: {
      run: chunk.chunk?.run as RunRef,
      ends: [
        create(ResourceReconciledSchema, {
          resourceType: chunk.resourceType as ResourceType,
          listVersion,
          firstSequence,
          scopeGeneration: 1n,
          compared: BigInt(chunk.items.length),
          listed: BigInt(chunk.items.length),
          equal: BigInt(chunk.items.length),
          ...counts,
        }),
      ],
    },
  });
  /** Answers a run without repairs. */
  const agree = async (agent: ScriptedAgent, listVersion: string): Promise<void> => {
    for (const chunk of await inventories(agent)) {
      agent.send(end(chunk, listVersion, agent.sequence + 1n));
    }
  };

  it("a run succeeds from its request through the comparison to its result, with repaired findings", async () => {
    const agent = await connect();
    agent.send(batchOf(put("a/x", { observed: 10 }), put("a/ghost", { observed: 11 })));
    await agree(agent, "20");
    await become(runStates, ["SUCCEEDED"]);
    await query("UPDATE kubernetes_object SET content = '{}' WHERE cluster = $1 AND name = 'x'");

    await backend.startRun(stop.signal, "default", cluster);
    const [configMaps, pods] = (await inventories(agent)) as [Batch, Batch];
    expect(await runStates()).toEqual(["SUCCEEDED", "COMPARING"]);
    expect(
      pods.items.map(({ message }) =>
        message.case === "verifyObject" ? [message.value.ref?.name, message.value.checksum.length] : [],
      ),
    ).toEqual([
      ["ghost", 32],
      ["x", 0],
    ]);
    const first = agent.sequence + 1n;
    const repairs = [
      put("a/x", { observed: 30, version: "10" }),
      remove("a/ghost", 30),
      put("a/new", { observed: 30, version: "25" }),
    ];
    agent.send({ case: "batch", value: batch(repairs, PODS, pods.chunk?.run?.runId) });
    agent.send(end(pods, "30", first, { listed: 2n, equal: 0n, put: 2n }));
    agent.send(end(configMaps, "30", agent.sequence + 1n));
    await become(runStates, ["SUCCEEDED", "SUCCEEDED"]);
    expect(await rows()).toEqual({ "a/new": "25", "a/x": "10" });
    expect(
      await query("SELECT name, type FROM reconciliation_finding WHERE cluster = $1 ORDER BY name"),
    ).toEqual([
      { name: "ghost", type: "GHOST_ROW" },
      { name: "new", type: "MISSING_ROW" },
      { name: "x", type: "STALE_ROW" },
    ]);
    const resources = await query(
      `SELECT k.resource, low_watermark::text, verified_at = r.started_at AS as_asked FROM resource_state k
       JOIN reconciliation_run r USING (account, cluster) WHERE cluster = $1 AND trigger = 'MANUAL' ORDER BY 1`,
    );
    expect(resources).toEqual([
      { resource: "configmaps", low_watermark: "30", as_asked: true },
      { resource: "pods", low_watermark: "30", as_asked: true },
    ]);
  });

  it("rows and run results are correct although the bus repeatedly closes the consumer in mid-stream (R38)", async () => {
    const agent = await connect();
    await agree(agent, "1");
    await become(runStates, ["SUCCEEDED"]);
    const truth: Record<string, string> = {};
    for (let version = 10; version < 160; version += 1) {
      const key = `a/${version % 7}`;
      if (version % 5 === 0) {
        delete truth[key];
        agent.send(batchOf(remove(key, version)));
      } else {
        truth[key] = String(version);
        agent.send(batchOf(put(key, { observed: version })));
      }
      if (version % 30 === 0) {
        await agent.acknowledged();
        bus.cutOff(TOPICS.events, INGESTER_SUBSCRIPTION);
      }
    }
    await backend.startRun(stop.signal, "default", cluster);
    await agree(agent, "200");
    bus.cutOff(TOPICS.events, INGESTER_SUBSCRIPTION);
    // The request may be delivered again. Then only the ends of its second attempt count.
    agree(agent, "200").catch(() => {});
    await become(runStates, ["SUCCEEDED", "SUCCEEDED"]);
    expect(await rows()).toEqual(truth);
    expect(
      await query(
        "SELECT gap_sequence, applied_sequence = $2::bigint AS whole FROM agent_session WHERE cluster = $1".replace(
          "$2::bigint",
          `${agent.sequence}`,
        ),
      ),
    ).toEqual([{ gap_sequence: "0", whole: true }]);
  });

  it.each(["refuse", "storeUnknown", "loseUnknown"] as const)(
    "a publish without receipt ends the session, and messages sent again are applied once: %s (R18, R29)",
    async (fate) => {
      const agent = await connect();
      await agree(agent, "1");
      await become(runStates, ["SUCCEEDED"]);
      let isNext = true;
      fateOf = (topic) => {
        const mine = topic === TOPICS.events && isNext ? fate : "store";
        isNext = isNext && mine === "store";
        return mine;
      };
      const said = [
        batchOf(put("a/x", { observed: 10 })),
        batchOf(remove("a/x", 11)),
        batchOf(put("a/y", { observed: 12 })),
      ];
      for (const message of said) {
        agent.send(message);
      }
      await expect(agent.acknowledged()).rejects.toMatchObject({
        rawMessage: /publish failed/,
      });

      const again = await connect();
      for (const message of said) {
        again.send(message);
      }
      await again.acknowledged();
      await become(rows, { "a/y": "12" });
      await backend.startRun(stop.signal, "default", cluster);
      await agree(again, "20");
      await become(runStates, ["SUCCEEDED", "SUCCEEDED"]);
    },
  );

  it("a run across a lost message does not verify, and reports the reason; the next run does (R24, R28)", async () => {
    const agent = await connect();
    await agree(agent, "1");
    await become(runStates, ["SUCCEEDED"]);
    await backend.startRun(stop.signal, "default", cluster);
    const [configMaps, pods] = (await inventories(agent)) as [Batch, Batch];
    const first = agent.sequence + 1n;
    isLost = ({ properties }) => properties?.["body"] === "batch";
    agent.send(batchOf(put("a/x", { observed: 10 })));
    agent.send(end(pods, "30", first));
    agent.send(end(configMaps, "30", agent.sequence + 1n));
    await agent.acknowledged();
    await become(runStates, ["SUCCEEDED", "PARTIAL"]);
    expect(
      await query(
        `SELECT resource, k.failure_reason FROM reconciliation_result k JOIN reconciliation_run r USING (account, cluster)
         WHERE cluster = $1 AND run_id = r.id AND trigger = 'MANUAL' ORDER BY 1`,
      ),
    ).toEqual([
      { resource: "configmaps", failure_reason: null },
      { resource: "pods", failure_reason: "SequenceGap" },
    ]);
    await backend.startRun(stop.signal, "default", cluster);
    await agree(agent, "40");
    await become(runStates, ["SUCCEEDED", "PARTIAL", "SUCCEEDED"]);
  });

  it("a new session supersedes the previous session's run, whose late end changes nothing (R34)", async () => {
    const agent = await connect();
    const [, pods] = (await inventories(agent)) as [Batch, Batch];
    const newer = await connect();
    agent.send(end(pods, "30", agent.sequence + 1n));
    await agree(newer, "20");
    await become(runStates, ["SUPERSEDED", "SUCCEEDED"]);
    expect(await query("SELECT DISTINCT low_watermark::text FROM resource_state WHERE cluster = $1")).toEqual(
      [{ low_watermark: "20" }],
    );
  });

  it("R94: an agent gets a notice of the items that were refused, and the other items are stored", async () => {
    const agent = await connect();
    const sequence = agent.send(
      batchOf(put("a/x", { observed: 10 }), put("a/bad", { observed: 10, content: '{"b":1,"a":2}' })),
    );
    let notice: unknown;
    while (notice === undefined) {
      const { message } = await agent.next();
      notice = message.case === "refusedItems" ? message.value : undefined;
    }
    expect(notice).toMatchObject({
      sequence,
      resourceType: PODS,
      total: 1,
      items: [
        { ref: { namespace: "a", name: "bad" }, reason: expect.stringMatching(/^content: not canonical/) },
      ],
    });
    expect(await rows()).toEqual({ "a/x": "10" });
  });
});
