import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from "vitest";
import { freePort } from "../../deploy/local/components/free-port.ts";
import { createSeededRandom } from "../../src/lib/random.ts";
import { createTcpProxy, type TcpProxy } from "../support/chaos/tcp-proxy.ts";
import { eventually } from "../support/e2e/eventually.ts";
import { createPrograms, type Program, type Programs } from "../support/e2e/programs.ts";
import { createSimulatedKube, type SimulatedKube } from "../support/e2e/simulated-kube.ts";
import { describeWithPostgres } from "../support/postgres/postgres.ts";
import { withClient } from "../support/postgres/with-client.ts";

/** No broker answers there. */
const bus = ["--bus-url", "ws://127.0.0.1:9"];

const open = ["--insecure-no-auth"];

/** Longest time of a stop: that of the documentation, and some for a busy machine. */
const STOP_MS = 15_000 + 5_000;

describeWithPostgres("while Postgres accepts bytes and does not answer", (provided) => {
  let programs: Programs;
  let kube: SimulatedKube;
  let proxy: TcpProxy;

  beforeAll(async () => {
    kube = await createSimulatedKube(createSeededRandom(1));
  });
  afterAll(async () => {
    await kube[Symbol.asyncDispose]();
  });
  beforeEach(async () => {
    programs = createPrograms();
    proxy = await createTcpProxy(Number(new URL(provided.url).port));
  });
  afterEach(async () => {
    await programs[Symbol.asyncDispose]();
    await proxy[Symbol.asyncDispose]();
  });

  const toUrl = (port: number): string => {
    const url = new URL(provided.url);
    url.hostname = "127.0.0.1";
    url.port = String(port);
    return url.href;
  };
  /** Sends SIGTERM, and returns the exit codes and the longest time. */
  const stop = async (running: readonly Program[]) => {
    const begun = performance.now();
    const ends = await Promise.all(running.map((program) => program.end("SIGTERM")));
    return { codes: ends.map(({ code }) => code), ms: performance.now() - begun };
  };

  it("programs and commands that start end at once (L16)", async () => {
    let connections = 0;
    const silent = createServer((socket) => {
      connections += 1;
      socket.on("error", () => {}).resume();
    });
    silent.listen(0, "127.0.0.1");
    await once(silent, "listening");
    const to = ["--database-url", toUrl((silent.address() as AddressInfo).port)];
    const started = [
      programs.start("server", ...open, "--port", "0", ...to),
      programs.start("backend", ...open, "--port", "0", ...to, ...bus),
      programs.start("ingester", ...to, ...bus),
      programs.start("dev", "--port", "0", ...to),
      programs.start("migrate", ...to),
    ];
    await eventually("a connection of each", async () => expect(connections).toBe(started.length));
    const { codes, ms } = await stop(started);
    expect([codes, ms < 5_000]).toEqual([[0, 0, 0, 0, 130], true]);
    silent.close();
  });

  it("a program that starts gives up the login, and continues to start (L16)", async () => {
    proxy.passOnly("toServer");
    const port = String(await freePort());
    const to = ["--database-url", toUrl(proxy.port)];
    const server = programs.start("server", ...open, "--port", port, ...to);
    await eventually("the server", async () => {
      expect(server.stdout() + server.stderr()).toContain("schema not checked");
      expect((await fetch(`http://127.0.0.1:${port}`)).status).toBeGreaterThan(0);
    });
    const { codes, ms } = await stop([server]);
    expect([codes, ms < STOP_MS]).toEqual([[0], true]);
  });

  /** Starts all programs of the database and an agent, and waits until they work. */
  const startAll = async (): Promise<Program[]> => {
    const to = ["--database-url", toUrl(proxy.port)];
    const port = String(await freePort());
    const server = programs.start("server", ...open, "--port", port, ...to, "--allow-duplicate-clusters");
    const others = [
      programs.start("backend", ...open, "--port", "0", ...to, ...bus),
      programs.start("ingester", ...to, ...bus),
    ];
    const of = ["--cluster", `stop-${port}`, "--kubeconfig", kube.kubeconfigPath];
    programs.start("agent", "--server", `http://127.0.0.1:${port}`, ...of);
    await eventually("the run on connect", async () => {
      const { rows } = await withClient({ connectionString: provided.url }, (client) =>
        client.query("SELECT FROM reconciliation_run WHERE cluster = $1 AND state = 'SUCCEEDED'", [
          `stop-${port}`,
        ]),
      );
      expect(rows).toHaveLength(1);
      for (const other of others) {
        expect(other.stdout() + other.stderr()).toMatch(/ingester started|joining the bus failed/);
      }
    });
    return [server, ...others];
  };

  it("all programs end in time, also in the middle of a transaction (L16)", async () => {
    const running = await startAll();
    const blocker = new pg.Client({ connectionString: provided.url });
    await blocker.connect();
    const churning = new AbortController();
    const churn = kube.workload.run(churning.signal);
    try {
      await blocker.query("BEGIN; LOCK TABLE kubernetes_object IN EXCLUSIVE MODE");
      await eventually("a transaction that waits", async () => {
        const { rows } = await blocker.query("SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock'");
        expect(rows.length).toBeGreaterThan(0);
      });
      proxy.freeze();
      proxy.passOnly("toServer");
      await sleep(500);
      const { codes, ms } = await stop(running);
      expect([codes, ms < STOP_MS]).toEqual([[0, 0, 0], true]);
    } finally {
      churning.abort();
      await churn;
      await blocker.end();
    }
  });

  it("all programs end in time, also if it falls silent during their stop (L16)", async () => {
    const running = await startAll();
    const stopping = stop(running);
    proxy.freeze();
    proxy.passOnly("toServer");
    const { codes, ms } = await stopping;
    expect([codes, ms < STOP_MS]).toEqual([[0, 0, 0], true]);
  });
});
