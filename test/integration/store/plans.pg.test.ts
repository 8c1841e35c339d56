import pg from "pg";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import { createSystemClock } from "../../../src/lib/clock.ts";
import { createDatabase, type Database } from "../../../src/store/postgres/database.ts";
import { createPgFleetStore } from "../../../src/store/postgres/pg-fleet-store.ts";
import { createPgFreshnessStore } from "../../../src/store/postgres/pg-freshness-store.ts";
import { describeWithPostgres } from "../../support/postgres/postgres.ts";
import { World } from "../../support/store/world.ts";

const DAY_MS = 86_400_000;

/**
 * A fleet: 1,000 clusters, each with 20 resource types, 100 ended runs and 50 closed sessions; one cluster has 50,000
 * objects.
 */
const FILL = `
SET LOCAL synchronous_commit = off;
SET LOCAL evenkeel.writer = 'ingester';
INSERT INTO cluster (account, name, uid, epoch)
SELECT 'acme', 'c' || c, 'uid of c' || c, 100 FROM generate_series(1, 1000) c;
INSERT INTO agent_session
  (account, cluster, epoch, instance_id, agent_version, kubernetes_version, reply_topic, opened_at, seen_at, closed_at)
SELECT 'acme', 'c' || c, e, 'agent-1', '', '', '', now() - interval '1 h', now(),
  CASE WHEN e < 100 THEN now() - e * interval '10 min' END
FROM generate_series(1, 1000) c, generate_series(51, 100) e;
INSERT INTO reconciliation_run
  (account, cluster, id, initiator, trigger, state, epoch, started_at, deadline_at, ended_at)
SELECT 'acme', 'c' || c, gen_random_uuid(), '', 'INTERVAL', 'SUCCEEDED', 100,
  now() - r * interval '10 min' - interval '2 min', now(), now() - r * interval '10 min'
FROM generate_series(1, 1000) c, generate_series(1, 100) r;
INSERT INTO deletion_set (account, cluster, id, origin, state, created_at, decided_at)
SELECT 'acme', 'c' || c, gen_random_uuid(), 'RUN', 'APPLIED', now(), now() - d * interval '1 h'
FROM generate_series(1, 1000) c, generate_series(1, 20) d;
INSERT INTO resource_state (account, cluster, api_group, resource, api_version, kind, singular, namespaced, incarnation)
SELECT 'acme', 'c1', 'g' || g, 'r', 'v1', 'K', 'k', TRUE, 1 FROM generate_series(1, 90) g
UNION ALL
SELECT 'acme', 'c' || c, 'g' || g, 'r', 'v1', 'K', 'k', TRUE, 1 FROM generate_series(2, 1000) c, generate_series(1, 20) g;
INSERT INTO kubernetes_object
  (account, cluster, api_group, resource, namespace, name, api_version, state, uid, resource_version,
   observed_version, incarnation, content, checksum)
SELECT 'acme', 'c1', 'g' || (i % 90 + 1), 'r', 'n', 'o' || i, 'v1', 'present', i::text, i::text, i, 1,
  '{}', decode(repeat('00', 32), 'hex')
FROM generate_series(1, 50000) i`;

const TABLES = ["kubernetes_object", "reconciliation_run", "agent_session", "deletion_set"];

interface Plan {
  readonly "Node Type": string;
  readonly "Relation Name"?: string;
  readonly "Shared Hit Blocks": number;
  readonly "Shared Read Blocks": number;
  readonly Plans?: readonly Plan[];
}

interface Statement {
  readonly text: string;
  readonly values: readonly unknown[];
}

describeWithPostgres("the plans of statements in a large database", (provided) => {
  let database: Database;
  let world: World;

  beforeAll(async () => {
    database = createDatabase({ url: provided.url });
    const client = new pg.Client({ connectionString: provided.url });
    await client.connect();
    await client.query(`BEGIN; ${FILL}; COMMIT`);
    await client.query("ANALYZE");
    await client.end();
    world = new World(provided.url, "c1", { database });
  });
  afterAll(() => database[Symbol.asyncDispose]());

  /** Runs the work and returns the statements that it sent. */
  async function record(work: () => Promise<unknown>): Promise<Statement[]> {
    const query = vi.spyOn(pg.Client.prototype, "query");
    try {
      await work();
      return query.mock.calls.flatMap((call: readonly unknown[]) => {
        const [first, second] = call;
        const { text, values = second ?? [] } = (
          typeof first === "string" ? { text: first } : first
        ) as Partial<Statement> & Pick<Statement, "text">;
        // An INSERT would violate the key of the row that it has added, and reads nothing.
        return /^\s*(SELECT|WITH|UPDATE|DELETE)/.test(text) ? [{ text, values: values as unknown[] }] : [];
      });
    } finally {
      query.mockRestore();
    }
  }

  async function explain({ text, values }: Statement): Promise<Plan> {
    const client = await database.pool.connect();
    try {
      await client.query("BEGIN");
      const { rows } = await client.query<{ "QUERY PLAN": { Plan: Plan }[] }>(
        `EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) ${text}`,
        [...values],
      );
      const plan = rows[0]?.["QUERY PLAN"][0]?.Plan;
      if (plan === undefined) {
        throw new Error(`no plan of ${text}`);
      }
      return plan;
    } finally {
      await client.query("ROLLBACK");
      client.release();
    }
  }

  const scansOf = (plan: Plan): string[] => [
    ...(plan["Node Type"].includes("Seq Scan") ? [plan["Relation Name"] ?? ""] : []),
    ...(plan.Plans ?? []).flatMap(scansOf),
  ];

  const sessions = (count: number) =>
    Array.from({ length: count }, (_, index) => ({
      account: "acme",
      cluster: `c${index + 1}`,
      epoch: 100n,
    }));

  const fleet = () => createPgFleetStore(database, createSystemClock());

  const listObjects = (clusters: readonly string[] | undefined, hasContent: boolean) =>
    fleet().listObjects(world.signal, "acme", {
      clusters,
      resources: [],
      namespace: undefined,
      namePrefix: undefined,
      hasContent,
      after: undefined,
      limit: 100,
    });

  const CASES: readonly [string, number, () => Promise<unknown>][] = [
    ["keepSessions", 5_000, () => world.sessions.keepSessions(world.signal, sessions(100))],
    ["listDue", 2_000, () => world.runs.listDue(world.signal, sessions(100), 600_000)],
    [
      "listRequested",
      2_000,
      () =>
        world.runs.listRequested(
          world.signal,
          sessions(100).map((session) => ({ ...session, clusterUid: "" })),
        ),
    ],
    ["expireRuns", 100, () => world.runs.expireRuns(world.signal)],
    ["purge with nothing to delete", 100, () => world.runs.purge(world.signal, 365 * DAY_MS)],
    [
      "listOpenRuns",
      100,
      () =>
        fleet().listOpenRuns(world.signal, "acme", {
          endedWithinMs: 30_000,
          except: [],
        }),
    ],
    ["a page of objects", 500, () => listObjects(undefined, false)],
    ["a page of contents", 2_000, () => listObjects(undefined, true)],
    ["a page of contents of one cluster", 2_000, () => listObjects(["c1"], true)],
    [
      "listClusters",
      5_000,
      () => fleet().listClusters(world.signal, "acme", { after: undefined, limit: 100 }),
    ],
    ["getCluster", 200, () => fleet().getCluster(world.signal, "acme", "c1")],
    [
      "the freshness of all clusters",
      2_000,
      () => createPgFreshnessStore(database).readFreshness(world.signal, 1_800_000),
    ],
    ["openSession", 500, () => world.request("agent-1", true, "uid of c1")],
    ["applyScope", 5_000, () => world.declare()],
  ];

  it.each(CASES)("%s reads no large table whole (L10)", async (_, maxBuffers, work) => {
    const statements = await record(work);
    expect(statements).not.toEqual([]);
    let buffers = 0;
    for (const statement of statements) {
      const plan = await explain(statement);
      expect(
        scansOf(plan).filter((table) => TABLES.includes(table)),
        statement.text,
      ).toEqual([]);
      buffers += plan["Shared Hit Blocks"] + plan["Shared Read Blocks"];
    }
    expect(buffers).toBeLessThan(maxBuffers);
  });

  it("purge deletes what is old, in batches (L10)", async () => {
    await world.runs.purge(world.signal, DAY_MS / 3);
    const { rows } = await database.pool.query(
      `SELECT (SELECT count(*)::int FROM reconciliation_run WHERE ended_at < now() - interval '8 h') AS runs,
              (SELECT count(*)::int FROM agent_session WHERE closed_at < now() - interval '8 h') AS sessions,
              (SELECT count(*)::int FROM deletion_set WHERE decided_at < now() - interval '8 h') AS sets`,
    );
    expect(rows).toEqual([{ runs: 0, sessions: 0, sets: 0 }]);
  });
});
