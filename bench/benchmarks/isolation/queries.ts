import { create } from "@bufbuild/protobuf";
import { ResourceTypeSchema } from "../../../gen/proto/evenkeel/v1/resource_pb.ts";
import { ScopeDeclaredSchema } from "../../../gen/proto/evenkeel/v1/scope_pb.ts";
import { DEFAULT_DELETION_GUARD } from "../../../src/domain/reconciliation/deletion-guard.ts";
import { createSystemClock } from "../../../src/lib/clock.ts";
import { createSystemRandom } from "../../../src/lib/random.ts";
import type { Database } from "../../../src/store/postgres/database.ts";
import { createPgFleetStore } from "../../../src/store/postgres/pg-fleet-store.ts";
import { createPgRunStore } from "../../../src/store/postgres/pg-run-store.ts";
import { applyScope } from "../../../src/store/sql/apply-scope.ts";
import { selectInventory } from "../../../src/store/sql/select-inventory.ts";
import { type CountingClient, countBuffers } from "../../support/isolation/count-buffers.ts";
import type { Finding, IsolationCase } from "../../support/isolation/isolation-case.ts";
import { createLargeDatabase, LARGE, LARGE_TYPES } from "../../support/isolation/large-database.ts";
import { quantile } from "../../support/statistics.ts";
import type { World } from "../../support/world.ts";

const RUNS = 1_000_000;
const OBJECTS = 100_000;
const REPEATS = 21;
const SESSIONS = 100;
const PAGE = 500;
const DAY_MS = 86_400_000;
const { signal } = new AbortController();

/** Queries that a server repeats, on a large database. */
export const queryCases: readonly IsolationCase[] = [
  {
    row: 12,
    attack: `due runs, open runs, purge, with ${RUNS.toLocaleString("en")} runs`,
    bound: "p50 <= 2, 5, 5 ms",
    run: measureRuns,
  },
  {
    row: 13,
    attack: `scope of ${LARGE_TYPES} types, inventory page of ${PAGE}, clusters, with ${OBJECTS.toLocaleString("en")} rows`,
    bound: "<= 10 buffers a type; <= 300 buffers; <= 10 ms",
    run: measureObjects,
  },
];

async function measureRuns(world: World): Promise<Finding> {
  await using database = await createLargeDatabase(world, { runs: RUNS, objects: 1_000 });
  const runs = createPgRunStore(database, createSystemRandom());
  const fleet = createPgFleetStore(database, createSystemClock());
  const sessions = Array.from({ length: SESSIONS }, (_, index) => ({
    ...{ account: LARGE.account, cluster: `c${index + 1}`, epoch: 1n },
  }));
  const dueMs = await medianOf(() => runs.listDue(signal, sessions, DAY_MS));
  const openMs = await medianOf(() =>
    fleet.listOpenRuns(signal, LARGE.account, { endedWithinMs: 30_000, except: [] }),
  );
  const purgeMs = await medianOf(() => runs.purge(signal, 365 * DAY_MS));
  const detail = [dueMs, openMs, purgeMs].map((ms) => `${ms.toFixed(1)} ms`).join(", ");
  return { detail, holds: dueMs <= 2 && openMs <= 5 && purgeMs <= 5 };
}

async function measureObjects(world: World): Promise<Finding> {
  await using database = await createLargeDatabase(world, { runs: 10_000, objects: OBJECTS });
  const types = Array.from({ length: LARGE_TYPES }, (_, index) =>
    create(ResourceTypeSchema, { group: `g${index + 1}`, version: "v1", resource: "r" }),
  );
  const scope = create(ScopeDeclaredSchema, {
    generation: 1n,
    resources: types.map((resourceType) => ({ resourceType, kind: "K", singular: "k", namespaced: true })),
  });
  const scopeBuffers = await countIn(database, async ({ client, buffers }) => {
    await applyScope(client, { ...LARGE, epoch: 1n, sequence: 1n }, scope, DEFAULT_DELETION_GUARD);
    const first = buffers();
    // The first declaration writes what the agent knows of each type. The next ones find it unchanged.
    await applyScope(client, { ...LARGE, epoch: 1n, sequence: 2n }, { ...scope, generation: 2n }, DEFAULT_DELETION_GUARD);
    return buffers() - first;
  });
  const [type = create(ResourceTypeSchema)] = types;
  const pageBuffers = await countIn(database, async ({ client, buffers }) => {
    const start = { namespace: "", name: "" };
    const { rows } = await selectInventory(client as never, LARGE, type, "", start, PAGE);
    return rows.length === PAGE ? buffers() : Number.NaN;
  });
  const fleet = createPgFleetStore(database, createSystemClock());
  const clustersMs = await medianOf(() =>
    fleet.listClusters(signal, LARGE.account, { after: undefined, limit: 100 }),
  );
  const perType = scopeBuffers / LARGE_TYPES;
  const detail = `${perType.toFixed(1)} buffers a type; ${pageBuffers} buffers; ${clustersMs.toFixed(1)} ms`;
  return { detail, holds: perType <= 10 && pageBuffers <= 300 && clustersMs <= 10 };
}

/** Runs the work in a transaction that is rolled back. */
async function countIn<T>(database: Database, work: (counting: CountingClient) => Promise<T>): Promise<T> {
  const client = await database.pool.connect();
  try {
    await client.query("BEGIN");
    return await work(countBuffers(client));
  } finally {
    await client.query("ROLLBACK");
    client.release();
  }
}

async function medianOf(work: () => Promise<unknown>): Promise<number> {
  const times: number[] = [];
  for (let repeat = 0; repeat < REPEATS; repeat += 1) {
    const start = performance.now();
    await work();
    times.push(performance.now() - start);
  }
  return quantile(times, 0.5);
}
