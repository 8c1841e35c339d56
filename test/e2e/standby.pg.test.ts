import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, it } from "vitest";
import { freePort } from "../../deploy/local/components/free-port.ts";
import { FleetService } from "../../gen/proto/evenkeel/v1/fleet_service_pb.ts";
import { createSeededRandom } from "../../src/lib/random.ts";
import { findDifferences } from "../support/e2e/copy.ts";
import { eventually } from "../support/e2e/eventually.ts";
import { callFleet, listRuns } from "../support/e2e/fleet-api.ts";
import { createPrograms, type Program, type Programs } from "../support/e2e/programs.ts";
import { createHandOnRows } from "../support/e2e/rows.ts";
import { type ServerAndAgent, startServerAndAgent } from "../support/e2e/server-and-agent.ts";
import { createSimulatedKube, type SimulatedKube } from "../support/e2e/simulated-kube.ts";
import { describeWithPostgres } from "../support/postgres/postgres.ts";

const cluster = "e2e-standby";
const IS_STANDBY = "waiting as a standby";
/** Time for which two agents run side by side, such as `EVENKEEL_STANDBY_SECONDS=120`. */
const together = Number(process.env["EVENKEEL_STANDBY_SECONDS"] ?? 10);

describeWithPostgres("two agents of one cluster", (database) => {
  let programs: Programs;
  let kube: SimulatedKube;
  let fleet: ServerAndAgent;

  const found = async () => {
    const { method } = FleetService;
    return (await callFleet(fleet.serverUrl, method.getCluster, { name: cluster })).cluster;
  };
  /** Waits until another agent than this one has the session; returns the milliseconds that it took. */
  async function untilReplaced(instanceId: string | undefined, timeoutMs: number): Promise<number> {
    const started = performance.now();
    await eventually(
      "another agent to take over",
      async () => {
        const now = await found();
        expect(now?.session?.instanceId).not.toBe(instanceId);
        expect(now?.connected).toBe(true);
      },
      { intervalMs: 100, timeoutMs },
    );
    return performance.now() - started;
  }
  const rows = createHandOnRows(() => database.url, cluster);
  const standbyLines = (program: Program): number => program.stderr().split(IS_STANDBY).length - 1;

  beforeAll(async () => {
    programs = createPrograms();
    kube = await createSimulatedKube(createSeededRandom(1));
    const { kubeconfigPath } = kube;
    const begun = new Date();
    fleet = await startServerAndAgent({ programs, databaseUrl: database.url, cluster, kubeconfigPath });
    await fleet.connected(begun);
  });
  afterAll(async () => {
    await programs[Symbol.asyncDispose]();
    await kube[Symbol.asyncDispose]();
  });

  it("R61: keep one session; the standby takes over when the active one stops or is frozen", async () => {
    const first = fleet.agent;
    const firstInstance = (await found())?.session?.instanceId;
    const probePort = await freePort();
    const second = fleet.startAgent("--probe-port", String(probePort));
    await eventually("the standby", async () => expect((await found())?.standbys).toBe(1));
    await eventually("the log line", async () => expect(standbyLines(second)).toBe(1), { intervalMs: 50 });
    expect((await fetch(`http://127.0.0.1:${probePort}/readyz`)).status).toBe(200);
    const { stdout } = await fleet.ask("clusters");
    expect(stdout).toMatch(/STANDBYS\n.*\b1\n/);
    expect((await found())?.session?.instanceId).toBe(firstInstance);

    // A graceful stop, as in a rolling update.
    await first.end("SIGTERM");
    expect(await untilReplaced(firstInstance, 20_000)).toBeLessThan(5_000);
    expect((await found())?.standbys).toBe(0);

    // The active agent falls silent; its connection stays open.
    const secondInstance = (await found())?.session?.instanceId;
    const third = fleet.startAgent();
    await eventually("the standby", async () => expect((await found())?.standbys).toBe(1));
    process.kill(second.pid, "SIGSTOP");
    expect(await untilReplaced(secondInstance, 60_000)).toBeLessThan(35_000);
    process.kill(second.pid, "SIGCONT");

    // The replaced agent is now the standby, and does not return.
    await eventually("the standby", async () => expect((await found())?.standbys).toBe(1), {
      timeoutMs: 60_000,
    });
    expect(standbyLines(third)).toBe(1);
    const sessions = (await listRuns(fleet.serverUrl, cluster)).filter(({ trigger }) => trigger === 2);
    expect(sessions.length).toBeLessThanOrEqual(3);
    const differs = { databaseUrl: database.url, cluster, kube: kube.transport };
    await eventually("the copy to be true", async () => expect(await findDifferences(differs)).toEqual([]));
    await second.end("SIGTERM");
    await third.end("SIGTERM");
  });

  it("R61: two agents that start together keep one session, and a stop and a kill pass it on", {
    timeout: 240_000 + together * 1_000,
  }, async () => {
    // The agent of the start, if this test runs alone.
    await fleet.agent.end("SIGTERM");
    const begun = performance.now();
    const [{ before } = {}] = await rows.sql(
      "SELECT max(epoch) AS before FROM agent_session WHERE cluster = $1",
    );
    const countSessions = async (): Promise<number> => {
      const opened = await rows.sql(
        "SELECT epoch FROM agent_session WHERE cluster = $1 AND epoch > $2::bigint",
        String(before),
      );
      return opened.length;
    };
    const agents = [fleet.startAgent(), fleet.startAgent()];
    const isShared = async (): Promise<void> => {
      const now = await found();
      expect([now?.connected, now?.standbys]).toEqual([true, 1]);
    };
    await eventually("one of them to wait", isShared);
    const instanceId = (await found())?.session?.instanceId;
    while (performance.now() - begun < together * 1_000) {
      expect(await countSessions()).toBeLessThanOrEqual(3);
      expect((await found())?.session?.instanceId).toBe(instanceId);
      await sleep(200);
    }
    const sessions = await countSessions();
    expect(sessions).toBeGreaterThan(0);

    const active = agents.find((agent) => standbyLines(agent) === 0);
    await active?.end("SIGTERM");
    expect(await untilReplaced(instanceId, 20_000)).toBeLessThan(5_000);
    const heir = agents.find((agent) => agent !== active);
    fleet.startAgent();
    await eventually("a new standby", isShared);
    const heirId = (await found())?.session?.instanceId;
    await heir?.end("SIGKILL");
    expect(await untilReplaced(heirId, 60_000)).toBeLessThan(35_000);
    expect(await countSessions()).toBeLessThanOrEqual(sessions + 2);
    const of = { databaseUrl: database.url, cluster, kube: kube.transport };
    await eventually("the copy to be true", async () => expect(await findDifferences(of)).toEqual([]));
    await fleet.agent.end("SIGTERM");
  });
});
