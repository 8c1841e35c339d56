import { create } from "@bufbuild/protobuf";
import { type ResourceType, ResourceTypeSchema } from "../../../gen/proto/evenkeel/v1/resource_pb.ts";
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
const FEW = 1_000;
/** Of two medians on a shared machine. */
const MAX_RATIO = 2;
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
    attack: `unchanged scope of ${LARGE_TYPES} types, ${OBJECTS.toLocaleString("en")} rows`,
    bound: "<= 10 buffers a type",
    run: measureScope,
  },
  {
    row: 13,
    attack: `inventory page of ${PAGE}, rows of all types in turn`,
    bound: "<= 300 buffers",
    run: measureInventory,
  },
  {
    row: 13,
    attack: `page of 100 clusters with ${FEW.toLocaleString("en")} and with ${OBJECTS.toLocaleString("en")} rows`,
    bound: `ratio <= ${MAX_RATIO}`,
    run: measureClusters,
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

async function measureScope(world: World): Promise<Finding> {
  await using database = await createLargeDatabase(world, { runs: 10_000, objects: OBJECTS });
  const scope = create(ScopeDeclaredSchema, {
    generation: 1n,
    resources: largeTypes().map((resourceType) => ({
      ...{ resourceType, kind: "K", singular: "k", namespaced: true },
    })),
  });
  const buffers = await countIn(database, async (counting) => {
    const declare = (sequence: bigint): Promise<unknown> => {
      const position = { ...LARGE, epoch: 1n, sequence };
      return applyScope(
        counting.client,
        position,
        { ...scope, generation: sequence },
        DEFAULT_DELETION_GUARD,
      );
    };
    // The first declaration writes what the agent knows of each type. The next one finds it unchanged.
    await declare(1n);
    const first = counting.buffers();
    await declare(2n);
    return counting.buffers() - first;
  });
  const perType = buffers / LARGE_TYPES;
  return { detail: `${perType.toFixed(1)} buffers a type`, holds: perType <= 10 };
}

async function measureInventory(world: World): Promise<Finding> {
  await using database = await createLargeDatabase(world, { runs: 10_000, objects: OBJECTS });
  const [type = create(ResourceTypeSchema)] = largeTypes();
  const buffers = await countIn(database, async (counting) => {
    const start = { namespace: "", name: "" };
    const { rows } = await selectInventory(counting.client as never, LARGE, type, "", start, PAGE);
    return rows.length === PAGE ? counting.buffers() : Number.NaN;
  });
  return { detail: `${buffers} buffers`, holds: buffers <= 300 };
}

async function measureClusters(world: World): Promise<Finding> {
  const measure = async (objects: number): Promise<number> => {
    await using database = await createLargeDatabase(world, { runs: 10_000, objects });
    const fleet = createPgFleetStore(database, createSystemClock());
    return await medianOf(() => fleet.listClusters(signal, LARGE.account, { after: undefined, limit: 100 }));
  };
  const [fewMs, manyMs] = [await measure(FEW), await measure(OBJECTS)];
  const detail = `${fewMs.toFixed(1)} ms and ${manyMs.toFixed(1)} ms`;
  return { detail, holds: manyMs / fewMs <= MAX_RATIO };
}

function largeTypes(): ResourceType[] {
  return Array.from({ length: LARGE_TYPES }, (_, index) =>
    create(ResourceTypeSchema, { group: `g${index + 1}`, version: "v1", resource: "r" }),
  );
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
