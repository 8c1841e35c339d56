import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, it } from "vitest";
import { freePort } from "../../deploy/local/components/free-port.ts";
import { createSeededRandom } from "../../src/lib/random.ts";
import { createBalancer } from "../support/e2e/balancer.ts";
import { findDifferences } from "../support/e2e/copy.ts";
import { eventually } from "../support/e2e/eventually.ts";
import { createPrograms, type Program, type Programs } from "../support/e2e/programs.ts";
import { createSimulatedKube, type SimulatedKube } from "../support/e2e/simulated-kube.ts";
import { describeWithPostgres } from "../support/postgres/postgres.ts";
import { withClient } from "../support/postgres/with-client.ts";

interface Server {
  readonly port: number;
  program: Program;
}

interface Site {
  readonly cluster: string;
  readonly kube: SimulatedKube;
  readonly agent: Program;
}

describeWithPostgres("two servers on one Postgres", (provided) => {
  const stack = new AsyncDisposableStack();
  let programs: Programs;
  let servers: readonly [Server, Server];
  let sites: readonly [Site, Site];

  const serve = (port: number): Program => {
    const to = ["--insecure-no-auth", "--port", String(port), "--database-url", provided.url];
    return programs.start("server", ...to, "--reconcile-interval", "1h", "--run-deadline", "20s");
  };
  const startServer = async (): Promise<Server> => {
    const port = await freePort();
    return { port, program: serve(port) };
  };
  const startSite = async (cluster: string, ports: readonly number[]): Promise<Site> => {
    const kube = stack.use(await createSimulatedKube(createSeededRandom(ports[0] ?? 0)));
    const { url } = stack.use(await createBalancer(ports));
    const of = ["--server", url, "--cluster", cluster, "--kubeconfig", kube.kubeconfigPath];
    return { cluster, kube, agent: programs.start("agent", ...of) };
  };
  const query = async <T extends object>(text: string, values: readonly unknown[] = []): Promise<T[]> =>
    await withClient(
      { connectionString: provided.url },
      async (client) => (await client.query(text, [...values])).rows as T[],
    );
  const runsOf = async (): Promise<unknown[]> =>
    await query("SELECT id, cluster, trigger FROM reconciliation_run");
  const areTrue = async (): Promise<void> => {
    for (const { cluster, kube } of sites) {
      const of = { databaseUrl: provided.url, cluster, kube: kube.transport };
      expect(await findDifferences(of)).toEqual([]);
    }
  };
  /** Number of different backends that have an open session. */
  const countOwners = async (): Promise<number> => {
    const open = await query("SELECT DISTINCT reply_topic FROM agent_session WHERE closed_at IS NULL");
    return open.length;
  };
  const whileChurning = async (body: () => Promise<void>): Promise<void> => {
    const stop = new AbortController();
    const churns = sites.map(({ kube }) => kube.workload.run(stop.signal));
    try {
      await body();
    } finally {
      stop.abort();
      await Promise.all(churns);
    }
  };
  const reconcile = async (cluster: string, { port }: Server, ...flags: readonly string[]): Promise<void> => {
    const at = ["--server", `http://127.0.0.1:${port}`];
    const { code, stdout, stderr } = await programs.run("reconcile", cluster, ...flags, ...at);
    expect(code, stderr + stdout).toBe(0);
  };

  beforeAll(async () => {
    programs = stack.use(createPrograms());
    servers = [await startServer(), await startServer()];
    const [one, other] = servers;
    sites = [
      await startSite("one", [one.port, other.port]),
      await startSite("other", [other.port, one.port]),
    ];
    await eventually("the runs on connect", async () => {
      expect(await query("SELECT FROM reconciliation_run WHERE state = 'SUCCEEDED'")).toHaveLength(2);
    });
    expect(await countOwners()).toBe(2);
  });
  afterAll(async () => {
    await stack.disposeAsync();
  });

  it("either starts a run of an agent that the other one serves (L15)", async () => {
    const [one, other] = servers;
    await reconcile("one", other);
    await reconcile("other", one, "--dry-run");
    const runs = await query("SELECT attempt FROM reconciliation_run WHERE trigger = 'MANUAL'");
    expect(runs).toEqual([{ attempt: 1 }, { attempt: 1 }]);
  });

  it("the agents of a killed one go on at the other, without a loss and without a run (L15)", async () => {
    const before = await runsOf();
    await whileChurning(async () => {
      await sleep(1_000);
      await servers[0].program.end("SIGKILL");
      await eventually("all agents at one server", async () => {
        const open = await query(
          "SELECT FROM agent_session WHERE closed_at IS NULL AND seen_at > now() - interval '3 s'",
        );
        expect([open.length, await countOwners()]).toEqual([2, 1]);
      });
      await sleep(500);
    });
    await eventually("the copies to be true", areTrue, { intervalMs: 200 });
    expect(await runsOf()).toEqual(before);
    await reconcile("one", servers[1]);
    await reconcile("other", servers[1]);
    expect(sites.map(({ agent }) => agent.isRunning())).toEqual([true, true]);
  });

  it("the agents of one that stops go on at the other, without a loss and without a run (L15)", async () => {
    servers[0].program = serve(servers[0].port);
    await eventually("the first server", async () => {
      expect((await fetch(`http://127.0.0.1:${servers[0].port}`)).status).toBeGreaterThan(0);
    });
    const before = await runsOf();
    await whileChurning(async () => {
      await sleep(500);
      expect(await servers[1].program.end("SIGTERM")).toEqual({ code: 0, signal: null });
      await sleep(500);
    });
    await eventually("the copies to be true", areTrue, { intervalMs: 200 });
    expect(await runsOf()).toEqual(before);
  });
});
