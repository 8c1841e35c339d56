import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import type { PoolClient } from "pg";
import { expect, it } from "vitest";
import { FleetService } from "../../gen/proto/evenkeel/v1/fleet_service_pb.ts";
import { createRuntime } from "../../src/main/runtime.ts";
import { startServer } from "../../src/main/server.ts";
import { createDatabase, type Database } from "../../src/store/postgres/database.ts";
import { ScriptedAgent } from "../support/backend/scripted-agent.ts";
import { describeWithPostgres } from "../support/postgres/postgres.ts";
import { createTestLog } from "../support/vitest/test-log.ts";

describeWithPostgres("the connections of a server", (provided) => {
  const takeAll = async ({ pool }: Database, count: number): Promise<PoolClient[]> =>
    await Promise.all(Array.from({ length: count }, () => pool.connect()));
  const release = (clients: readonly PoolClient[]): void => {
    for (const client of clients) {
      client.release();
    }
  };

  it("for agents and for queries are separate, so that neither waits for the other (L18)", async () => {
    const stop = new AbortController();
    const database = createDatabase({ url: provided.url, maxConnections: 4 });
    const reads = createDatabase({ url: provided.url, maxConnections: 2 });
    const server = await startServer(stop.signal, {
      ...{ host: "127.0.0.1", port: 0, auth: { type: "none" }, database, reads },
      ...{ reconcileIntervalMs: 3_600_000, runDeadlineMs: 60_000, runtime: createRuntime(createTestLog()) },
    });
    const fleet = createClient(FleetService, createGrpcTransport({ baseUrl: server.url }));
    const writers = await takeAll(database, 4);
    expect((await fleet.listClusters({})).clusters).toEqual([]);
    release(writers);
    const readers = await takeAll(reads, 2);
    const agent = new ScriptedAgent(server.url);
    expect(await agent.open()).toBeGreaterThan(0n);
    release(readers);
    expect((await fleet.listClusters({})).clusters).toHaveLength(1);
    await agent[Symbol.asyncDispose]();
    stop.abort();
    await server.ended;
    await database[Symbol.asyncDispose]();
    await reads[Symbol.asyncDispose]();
  });
});
