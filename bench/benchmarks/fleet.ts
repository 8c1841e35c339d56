import pg from "pg";
import type { Program } from "../../test/support/e2e/programs.ts";
import { startBalancer } from "../support/balancer.ts";
import { queryRows } from "../support/query-rows.ts";
import { quantile } from "../support/statistics.ts";
import { until } from "../support/until.ts";
import type { RunningServer, World } from "../support/world.ts";

const CLUSTERS = 50;
const PROCESSES = 2;
const OBJECTS = 2_000;
const CONTENT_BYTES = 1_000;
const CHANGES_PER_SECOND = 500;
const SECONDS = 30;
const BACKENDS = 2;

/**
 * Measures a fleet of 50 clusters with 2,000 objects each, through Pulsar: the time from a change to the commit of its
 * row while all clusters change, and the time until each cluster is verified again after all backends restarted, one
 * after the other.
 */
export async function fleet(world: World): Promise<void> {
  const databaseUrl = await world.createDatabase();
  const tenant = await world.createTenant();
  const ingester = world.startIngester(databaseUrl, tenant);
  const backends: RunningServer[] = [];
  for (let index = 0; index < BACKENDS; index++) {
    backends.push(await world.startBackend(databaseUrl, tenant));
  }
  await using balancer = await startBalancer(backends.map(({ url }) => Number(new URL(url).port)));
  await using stack = new AsyncDisposableStack();
  const processes = Array.from({ length: PROCESSES }, () => stack.use(world.startFleetProcess()));
  const started = performance.now();
  for (const [at, process] of processes.entries()) {
    const clusters = Array.from({ length: CLUSTERS }, (_, index) => `cluster-${index}`).filter(
      (_, index) => index % PROCESSES === at,
    );
    const fill = { objects: OBJECTS, contentBytes: CONTENT_BYTES };
    process.order({ type: "start", server: balancer.url, clusters, ...fill });
    await process.next("started");
  }
  await untilVerified(databaseUrl, new Date(0), ingester);
  const copied = (performance.now() - started) / 1000;
  const rate = (CLUSTERS * OBJECTS) / copied;
  console.log(
    `  first copy of ${CLUSTERS} clusters: ${copied.toFixed(0)} s, ${rate.toFixed(0)} objects/s, ` +
      `objects of ${CONTENT_BYTES} B`,
  );

  const latencies = await measureChanges(databaseUrl, processes, ingester);
  const format = (share: number): string => `${quantile(latencies, share).toFixed(0)} ms`;
  console.log(
    `  change to row at ${CHANGES_PER_SECOND} changes/s for ${SECONDS} s: ` +
      `p50 ${format(0.5)}, p99 ${format(0.99)}, max ${format(1)}`,
  );

  const restarted = performance.now();
  const [row] = await queryRows<{ now: Date }>(databaseUrl, "SELECT now()");
  for (const [at, backend] of backends.entries()) {
    await backend.stop();
    backends[at] = await world.startBackend(databaseUrl, tenant, Number(new URL(backend.url).port));
  }
  const restarts = (performance.now() - restarted) / 1000;
  await untilVerified(databaseUrl, row?.now ?? new Date(), ingester);
  const verified = (performance.now() - restarted) / 1000;
  console.log(
    `  rolling restart of ${BACKENDS} backends: ${restarts.toFixed(0)} s; ` +
      `every cluster verified again after ${verified.toFixed(0)} s`,
  );
  for (const backend of backends) {
    await backend.stop();
  }
  await ingester.end("SIGTERM");
}

/** Waits until each cluster has been verified as of a later time. */
async function untilVerified(databaseUrl: string, since: Date, program: Program): Promise<void> {
  const isVerified = async (): Promise<boolean> => {
    const [row] = await queryRows<{ count: number }>(
      databaseUrl,
      `SELECT count(*)::int FROM resource_state WHERE verified_at > '${since.toISOString()}'`,
    );
    return row?.count === CLUSTERS;
  };
  await until("every cluster verified", isVerified, program);
}

type FleetProcess = ReturnType<World["startFleetProcess"]>;

/** Returns the times from each change to the notification of its row, in milliseconds. */
async function measureChanges(
  databaseUrl: string,
  processes: readonly FleetProcess[],
  program: Program,
): Promise<number[]> {
  const seen = new Map<string, bigint>();
  const client = new pg.Client({ connectionString: databaseUrl });
  client.on("notification", ({ payload = "" }) => seen.set(payload, process.hrtime.bigint()));
  await client.connect();
  await client.query(NOTIFY_OF_ROWS);
  const count = (CHANGES_PER_SECOND * SECONDS) / processes.length;
  for (const each of processes) {
    each.order({ type: "change", count, everyMs: (1000 * processes.length) / CHANGES_PER_SECOND });
  }
  const changes = (await Promise.all(processes.map((each) => each.next("changed")))).flatMap(
    (report) => report.changes,
  );
  await until("every change", async () => changes.every(({ id }) => seen.has(id)), program);
  await client.end();
  return changes.map(({ id, at }) => Number((seen.get(id) ?? 0n) - BigInt(at)) / 1e6);
}

const NOTIFY_OF_ROWS = `
CREATE FUNCTION bench_notify() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_notify('bench', NEW.cluster || '/' || NEW.resource_version);
  RETURN NULL;
END $$;
CREATE TRIGGER bench_notify AFTER UPDATE ON kubernetes_object FOR EACH ROW EXECUTE FUNCTION bench_notify();
LISTEN bench`;
