import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { afterAll, beforeAll, expect, it } from "vitest";
import { createSeededRandom, type Random } from "../../src/lib/random.ts";
import { findDifferences } from "../support/e2e/copy.ts";
import { eventually } from "../support/e2e/eventually.ts";
import { createPrograms, type Programs } from "../support/e2e/programs.ts";
import { type ServerAndAgent, startServerAndAgent } from "../support/e2e/server-and-agent.ts";
import { createSimulatedKube, type SimulatedKube } from "../support/e2e/simulated-kube.ts";
import { describeWithOwnPostgres } from "../support/postgres/own-postgres.ts";
import { withClient } from "../support/postgres/with-client.ts";
import { withSeed } from "../support/vitest/seeded.ts";

const cluster = "e2e-crash";

describeWithOwnPostgres("server and agent under churn", (postgres) => {
  let programs: Programs;
  let kube: SimulatedKube;
  let fleet: ServerAndAgent;

  const isTrue = async (): Promise<void> => {
    const of = { databaseUrl: postgres().url, cluster, kube: kube.transport };
    expect(await findDifferences(of)).toEqual([]);
  };
  const countRuns = async (): Promise<number> =>
    await withClient({ connectionString: postgres().url }, async (client) => {
      const { rows } = await client.query("SELECT count(*)::int AS count FROM reconciliation_run");
      return rows[0]?.count;
    });
  /** Changes about 50 objects a second while `body` runs. */
  const whileChurning = async (body: () => Promise<void>): Promise<void> => {
    const stop = new AbortController();
    const churn = kube.workload.run(stop.signal);
    try {
      await body();
    } finally {
      stop.abort();
      await churn;
    }
  };

  beforeAll(async () => {
    programs = createPrograms();
    kube = await createSimulatedKube(createSeededRandom(1));
    const { kubeconfigPath } = kube;
    const begun = new Date();
    fleet = await startServerAndAgent({ programs, databaseUrl: postgres().url, cluster, kubeconfigPath });
    await fleet.connected(begun);
  });
  afterAll(async () => {
    await programs[Symbol.asyncDispose]();
    await kube[Symbol.asyncDispose]();
  });

  it("wait while Postgres is unreachable, and lose nothing (R19)", async () => {
    await whileChurning(async () => {
      await sleep(500);
      await postgres().restart(() => sleep(2_000));
      await sleep(500);
    });
    // No run is due: changes during the outage were kept, and are delivered.
    await eventually("the copy to be true", isTrue, { intervalMs: 200 });
    expect(await fleet.reconcile()).toBe(0);
    expect([fleet.server.isRunning(), fleet.agent.isRunning()]).toEqual([true, true]);
  });

  it("lose nothing that a killed server had not written, without a run (L15)", async () => {
    const { pid } = fleet.agent;
    const runs = await countRuns();
    const blocker = new pg.Client({ connectionString: postgres().url });
    await blocker.connect();
    try {
      await blocker.query("BEGIN; LOCK TABLE kubernetes_object IN EXCLUSIVE MODE");
      await whileChurning(() => sleep(1_000));
      await fleet.server.end("SIGKILL");
    } finally {
      await blocker.end();
    }
    fleet.startServer();
    await eventually("the copy to be true", isTrue, { intervalMs: 200 });
    expect([fleet.agent.pid, fleet.agent.isRunning(), await countRuns()]).toEqual([pid, true, runs]);
  });

  it("lose nothing while the server is killed repeatedly, without a run (L15)", async () => {
    await withSeed("lose nothing while the server is killed repeatedly", async (random) => {
      const runs = await countRuns();
      await whileChurning(async () => {
        for (let round = 0; round < 3; round += 1) {
          await fleet.server.end("SIGKILL");
          fleet.startServer();
          await fleet.reopened();
          await sleep(random.float() * 1_000);
        }
      });
      await eventually("the copy to be true", isTrue, { intervalMs: 200 });
      expect(await countRuns()).toBe(runs);
    });
  });

  it("recover after they are killed repeatedly", async () => {
    await withSeed("recover after they are killed repeatedly", async (random) => {
      await whileChurning(async () => {
        for (let round = 0; round < 5; round += 1) {
          await killAndRestart(random, fleet);
        }
      });
      await eventually("the copy to be true", isTrue, { intervalMs: 200 });
      await fleet.connected(new Date(0));
      expect(await fleet.reconcile()).toBe(0);
    });
  });
});

/** Kills one of the two or both at any time, and starts them again in any order. */
async function killAndRestart(random: Random, fleet: ServerAndAgent): Promise<void> {
  const server = { end: () => fleet.server.end("SIGKILL"), start: () => fleet.startServer() };
  const agent = { end: () => fleet.agent.end("SIGKILL"), start: () => fleet.startAgent() };
  const victims = [[server], [agent], [server, agent], [agent, server]];
  const parts = victims[Math.floor(random.float() * victims.length)] ?? [];
  await Promise.all(parts.map((part) => part.end()));
  await sleep(random.float() * 500);
  for (const part of parts) {
    part.start();
    await sleep(random.float() * 1_500);
  }
}
