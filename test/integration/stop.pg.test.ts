import { afterEach, beforeEach, expect, it } from "vitest";
import { createRuntime } from "../../src/main/runtime.ts";
import { startServer } from "../../src/main/server.ts";
import { createDatabase, type Database } from "../../src/store/postgres/database.ts";
import { ScriptedAgent } from "../support/backend/scripted-agent.ts";
import { describeWithPostgres } from "../support/postgres/postgres.ts";
import { batch, PODS, put } from "../support/store/messages.ts";
import { createTestLog } from "../support/vitest/test-log.ts";

describeWithPostgres("a server that stops", (provided) => {
  let database: Database;

  beforeEach(() => {
    database = createDatabase({ url: provided.url });
  });
  afterEach(() => database[Symbol.asyncDispose]());

  it("applies acknowledged messages first (R19)", async () => {
    const stop = new AbortController();
    const server = await startServer(stop.signal, {
      host: "127.0.0.1",
      port: 0,
      auth: { type: "none" },
      database,
      reconcileIntervalMs: 3_600_000,
      runDeadlineMs: 60_000,
      runtime: createRuntime(createTestLog()),
    });
    const agent = new ScriptedAgent(server.url);
    await agent.open();
    agent.send({ case: "scopeDeclared", value: { generation: 1n, resources: [{ resourceType: PODS }] } });
    for (let version = 1; version <= 200; version += 1) {
      agent.send({ case: "batch", value: batch([put(`a/x${version}`, { observed: version })]) });
    }
    await agent.acknowledged();
    stop.abort();
    // The agent leaves after Drain.
    for (let isLeft = false; !isLeft; ) {
      isLeft = (await agent.next()).message.case === "drain";
    }
    agent.end();
    await expect(agent.next()).rejects.toThrow("the session has ended");
    await server.ended;
    await agent[Symbol.asyncDispose]();
    const { rowCount } = await database.pool.query("SELECT 1 FROM kubernetes_object WHERE cluster = 'c1'");
    expect(rowCount).toBe(200);
  });
});
