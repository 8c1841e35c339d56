import pg from "pg";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { RunningBackend } from "../../src/main/backend.ts";
import { createRuntime } from "../../src/main/runtime.ts";
import { startServer } from "../../src/main/server.ts";
import { createDatabase, type Database } from "../../src/store/postgres/database.ts";
import { ScriptedAgent } from "../support/backend/scripted-agent.ts";
import { describeWithPostgres } from "../support/postgres/postgres.ts";
import { batch, PODS, put } from "../support/store/messages.ts";
import { createTestLog } from "../support/vitest/test-log.ts";

describeWithPostgres("the acknowledgement of a server with the bus in memory", (provided) => {
  let database: Database;
  let stop: AbortController;
  let server: RunningBackend;
  let agents: AsyncDisposableStack;

  beforeEach(async () => {
    database = createDatabase({ url: provided.url });
    stop = new AbortController();
    agents = new AsyncDisposableStack();
    server = await startServer(stop.signal, {
      host: "127.0.0.1",
      port: 0,
      auth: { type: "none" },
      database,
      reconcileIntervalMs: 3_600_000,
      runDeadlineMs: 60_000,
      runtime: createRuntime(createTestLog()),
    });
  });
  afterEach(async () => {
    stop.abort();
    await agents.disposeAsync();
    await server.ended;
    await database[Symbol.asyncDispose]();
  });

  const open = async (cluster: string): Promise<ScriptedAgent> => {
    const agent = agents.use(new ScriptedAgent(server.url));
    await agent.open({ cluster });
    agent.send({ case: "scopeDeclared", value: { generation: 1n, resources: [{ resourceType: PODS }] } });
    return agent;
  };
  const change = (agent: ScriptedAgent, version: number): bigint =>
    agent.send({ case: "batch", value: batch([put("a/x", { observed: version })]) });
  const versionOf = async (cluster: string): Promise<number> => {
    const { rows } = await database.pool.query(
      "SELECT observed_version FROM kubernetes_object WHERE cluster = $1",
      [cluster],
    );
    return Number(rows[0]?.observed_version);
  };
  /** Locks the row of the cluster while `body` runs. */
  const whileLocked = async (cluster: string, body: () => Promise<void>): Promise<void> => {
    const client = new pg.Client({ connectionString: provided.url });
    await client.connect();
    try {
      await client.query("BEGIN");
      await client.query("SELECT FROM kubernetes_object WHERE cluster = $1 FOR UPDATE", [cluster]);
      await body();
    } finally {
      await client.end();
    }
  };

  it("follows the commit, and a cluster that waits holds up no other (L15)", async () => {
    const [blocked, other] = [await open("blocked"), await open("other")];
    change(blocked, 1);
    await blocked.acknowledged();
    expect(await versionOf("blocked")).toBe(1);
    let isAcknowledged = false;
    let acknowledged: Promise<void> | undefined;
    await whileLocked("blocked", async () => {
      // More messages than the ingester's window counts for one cluster.
      for (let version = 2; version <= 300; version += 1) {
        change(blocked, version);
      }
      acknowledged = blocked.acknowledged(4n).then(() => {
        isAcknowledged = true;
      });
      for (let version = 1; version <= 50; version += 1) {
        change(other, version);
        await other.acknowledged();
        expect(await versionOf("other")).toBe(version);
      }
      expect([isAcknowledged, await versionOf("blocked")]).toEqual([false, 1]);
    });
    await acknowledged;
    expect(await versionOf("blocked")).toBeGreaterThanOrEqual(3);
  });

  it("does not come for what a server leaves behind when it stops (L15)", async () => {
    const agent = await open("left");
    change(agent, 1);
    await agent.acknowledged();
    await whileLocked("left", async () => {
      const sequence = change(agent, 2);
      stop.abort();
      const seen: bigint[] = [];
      await expect(
        (async () => {
          for (;;) {
            const { message } = await agent.next();
            if (message.case === "acknowledgement") {
              seen.push(message.value.sequence);
            }
          }
        })(),
      ).rejects.toThrow();
      expect(seen).not.toContain(sequence);
      await server.ended;
    });
    expect(await versionOf("left")).toBe(1);
  });
});
