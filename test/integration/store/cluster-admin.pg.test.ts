import { randomUUID } from "node:crypto";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createSystemClock } from "../../../src/lib/clock.ts";
import type { ClusterAdmin } from "../../../src/store/cluster-admin.ts";
import { createPgClusterAdmin } from "../../../src/store/postgres/pg-cluster-admin.ts";
import { createPgFleetStore } from "../../../src/store/postgres/pg-fleet-store.ts";
import { runForTest } from "../../support/cli/run-for-test.ts";
import { describeWithPostgres } from "../../support/postgres/postgres.ts";
import { put, remove } from "../../support/store/messages.ts";
import { World } from "../../support/store/world.ts";

const TABLES = [
  "kubernetes_object",
  "resource_state",
  "reconciliation_run",
  "reconciliation_result",
  "reconciliation_finding",
  "dry_run_finding",
  "agent_session",
  "agent_standby",
  "deletion_set",
  "deletion_set_resource",
  "staged_deletion",
];

describeWithPostgres("an operator's changes of clusters", (database) => {
  let account: string;
  let world: World;
  let admin: ClusterAdmin;

  beforeEach(async () => {
    account = `account-${randomUUID()}`;
    world = open("prod-1");
    admin = createPgClusterAdmin(world.database);
    await world.connect();
    await world.sql("DELETE FROM reconciliation_run WHERE cluster = $1");
    await world.declare();
    await world.apply(put("a/web", { observed: 50 }), put("a/gone", { observed: 51 }));
    await world.verifyAll(60);
    await world.apply(remove("a/gone", 62));
    await world.sql(
      `INSERT INTO dry_run_finding (account, cluster, run_id, api_group, resource, namespace, name, api_version, type,
         cause, detail, found_at)
       VALUES ('${account}', $1, gen_random_uuid(), '', 'pods', 'a', 'x', 'v1', 'STALE_ROW', 'UNKNOWN', '', now())`,
    );
    const standby = { account, cluster: "prod-1", instanceId: "agent-2", agentVersion: "" };
    await world.sessions.keepStandbys(world.signal, [standby]);
  });
  afterEach(async () => {
    await world[Symbol.asyncDispose]();
  });

  const open = (cluster: string): World => new World(database.url, cluster, { account });

  /** Returns the number of rows of a name in each table that has some. */
  async function countsOf(cluster: string): Promise<Record<string, number>> {
    const counts: Record<string, number> = {};
    for (const table of TABLES) {
      const { rows } = await world.database.pool.query<{ count: number }>(
        `SELECT count(*)::int FROM ${table} WHERE account = $1 AND cluster = $2`,
        [account, cluster],
      );
      if (rows[0]?.count) {
        counts[table] = rows[0].count;
      }
    }
    return counts;
  }

  const evenkeel = (args: string, answer?: string) =>
    runForTest([...args.split(" "), "--account", account], {
      environment: { EVENKEEL_DATABASE_URL: database.url },
      ...(answer !== undefined && { answer }),
    });

  /** Delivers what the agent sent before: an object, the scope, and the end of a comparison. */
  async function deliverLate(): Promise<void> {
    await world.apply(put("a/late", { observed: 70 }));
    await world.declare();
    await world.apply(put("a/later", { observed: 71 }));
  }

  test("R64: a removed cluster leaves no rows, refuses its agent, and drops late events", async () => {
    const own = { account, cluster: "prod-1", epoch: world.epoch };
    await world.runs.createRun(world.signal, { ...own, initiator: "test", trigger: 3, deadlineMs: 60_000 });
    expect(await admin.remove(world.signal, account, "prod-1", false)).toEqual({
      objects: 2,
      resourceTypes: 2,
      runs: 2,
    });
    expect(await countsOf("prod-1")).toEqual({});
    await deliverLate();
    expect(await countsOf("prod-1")).toEqual({});
    expect(await world.sessions.keepSessions(world.signal, [own])).toEqual([
      { type: "replaced", session: own },
    ]);
    for (const instanceId of ["agent-1", "agent-2"]) {
      await expect(world.request(instanceId, true)).rejects.toMatchObject({
        message: expect.stringContaining("evenkeel admin cluster remove prod-1 --forget"),
        info: { reason: "CLUSTER_REMOVED" },
      });
    }
    await expect(world.beginRun()).rejects.toThrow('no cluster "prod-1"');
    const store = createPgFleetStore(world.database, createSystemClock());
    expect(await store.getCluster(world.signal, account, "prod-1")).toBeUndefined();
    expect((await store.listClusters(world.signal, account, { after: undefined, limit: 9 })).items).toEqual(
      [],
    );
  });

  test("R64: events that arrive between the steps of a removal leave no rows", async () => {
    let steps = 0;
    const interrupted = createPgClusterAdmin({
      ...world.database,
      async transaction(key, work) {
        const result = await world.database.transaction(key, work);
        steps += 1;
        if (steps === 1) {
          await deliverLate();
        }
        return result;
      },
    });
    await interrupted.remove(world.signal, account, "prod-1", false);
    expect(await countsOf("prod-1")).toEqual({});
  });

  test("R64: a forgotten name is free, also for another uid, and late events of the old cluster are dropped", async () => {
    const late = world.at(world.sequence);
    await admin.remove(world.signal, account, "prod-1", false);
    await admin.remove(world.signal, account, "prod-1", true);
    await using next = open("prod-1");
    await next.connect("agent-9", "another-uid");
    await next.declare();
    world.epoch = late.epoch;
    await deliverLate();
    expect(await next.rows()).toEqual([]);
    await next.apply(put("a/new", { observed: 1 }));
    expect((await next.rows()).map(({ key }) => key)).toEqual(["a/new"]);
  });

  test("R64: a cluster of more rows than one step removes them all, and other clusters keep theirs", async () => {
    await using other = open("prod-2");
    await other.connect();
    await other.declare();
    await other.apply(put("a/web", { observed: 5 }));
    await world.sql(
      `INSERT INTO kubernetes_object
         (account, cluster, api_group, resource, namespace, name, api_version, state, uid, resource_version,
          observed_version, content)
       SELECT account, cluster, api_group, resource, 'many', 'n' || i, api_version, state, uid, resource_version,
              observed_version, content
       FROM kubernetes_object, generate_series(1, 12000) i WHERE cluster = $1 AND name = 'web' AND account = '${account}'`,
    );
    expect(await admin.remove(world.signal, account, "prod-1", true)).toMatchObject({ objects: 12_002 });
    expect(await countsOf("prod-1")).toEqual({});
    expect(await other.rows()).toHaveLength(1);
  });

  test("R64: a renamed cluster keeps rows, runs and verified times, and its agent continues under the new name", async () => {
    const before = await countsOf("prod-1");
    const own = { account, cluster: "prod-1", epoch: world.epoch };
    expect(await admin.rename(world.signal, account, "prod-1", "prod-eu")).toBe(2);
    const { agent_standby: _, ...kept } = before;
    expect(await countsOf("prod-eu")).toEqual(kept);
    expect(await world.sessions.keepSessions(world.signal, [own])).toEqual([
      { type: "replaced", session: own },
    ]);
    await deliverLate();
    expect(await countsOf("prod-1")).toEqual({});
    await expect(world.request("agent-1")).rejects.toMatchObject({ info: { reason: "CLUSTER_DUPLICATE" } });
    await using renamed = open("prod-eu");
    expect(await renamed.connect("agent-3", "uid of prod-1")).toBeDefined();
    const trusted = (await renamed.rows()).filter(({ key }) => key === "a/web");
    expect(trusted).toMatchObject([{ trusted: true }]);
    expect(
      await renamed.sql(
        "SELECT DISTINCT verified_at IS NOT NULL AS verified FROM resource_state WHERE cluster = $1",
      ),
    ).toEqual([{ verified: true }]);
  });

  test("R64: a rebound cluster accepts the new uid with lower versions, and its old rows do not win", async () => {
    const late = world.at(world.sequence);
    await admin.rebind(world.signal, account, "prod-1", "rebuilt");
    await expect(world.request("agent-1")).rejects.toMatchObject({
      info: { reason: "CLUSTER_UID_MISMATCH" },
    });
    expect(
      await world.sql(
        `SELECT DISTINCT low_watermark::int AS low, high_watermark::int AS high, verified_at FROM resource_state
         WHERE cluster = $1 AND account = '${account}'`,
      ),
    ).toEqual([{ low: 0, high: 0, verified_at: null }]);
    expect(await world.connect("agent-3", "rebuilt")).toBeDefined();
    await world.sql(`DELETE FROM reconciliation_run WHERE cluster = $1 AND account = '${account}'`);
    await world.declare();
    await world.apply(put("a/web", { observed: 3, version: "3" }));
    expect(await world.row("a/web")).toMatchObject({ observed: "3", version: "3" });
    const { epoch, sequence } = world;
    world.epoch = late.epoch;
    await world.apply(put("a/web", { observed: 99, version: "99" }));
    Object.assign(world, { epoch, sequence });
    expect(await world.row("a/web")).toMatchObject({ version: "3" });
    await world.verifyAll(4);
    expect(await world.row("a/gone")).toBeUndefined();
  });

  test("R64: unknown, removed and taken names are refused, and nothing changes", async () => {
    await using other = open("prod-2");
    await other.connect();
    const before = await countsOf("prod-1");
    for (const [change, problem] of [
      [() => admin.remove(world.signal, account, "none", true), 'cluster "none": not found in account'],
      [() => admin.remove(world.signal, "none", "prod-1", true), 'not found in account "none"'],
      [() => admin.rename(world.signal, account, "none", "x"), 'cluster "none": not found in account'],
      [() => admin.rename(world.signal, account, "prod-1", "prod-2"), 'cluster "prod-2": exists already'],
      [() => admin.rename(world.signal, account, "prod-1", "prod-1"), 'cluster "prod-1": exists already'],
      [() => admin.rebind(world.signal, account, "none", "u"), 'cluster "none": not found in account'],
      [() => admin.rebind(world.signal, account, "prod-1", "uid of prod-1"), "already bound"],
      [() => admin.rebind(world.signal, account, "prod-1", "uid of prod-2"), 'that of cluster "prod-2"'],
    ] as const) {
      await expect(change()).rejects.toThrow(problem);
    }
    await admin.remove(world.signal, account, "prod-2", false);
    await expect(admin.rename(world.signal, account, "prod-1", "prod-2")).rejects.toThrow("removed cluster");
    await expect(admin.rename(world.signal, account, "prod-2", "prod-3")).rejects.toThrow("was removed");
    await expect(admin.rebind(world.signal, account, "prod-2", "u")).rejects.toThrow("was removed");
    expect(await countsOf("prod-1")).toEqual(before);
    // The uid of a removed cluster is free.
    await admin.rebind(world.signal, account, "prod-1", "uid of prod-2");
  });

  test("the commands print what they changed, and ask only at a terminal without --yes", async () => {
    const refused = await evenkeel("admin cluster remove prod-1", "n");
    expect(refused).toMatchObject({ code: 1, out: "" });
    expect(refused.err).toBe("Remove cluster prod-1 with all of its rows? [y/N] Nothing changed.\n");
    expect(await evenkeel("admin cluster rename prod-1 prod-3", "yes")).toMatchObject({
      code: 0,
      out: "Renamed cluster prod-1 to prod-3: 2 rows of objects.\nStart its agent with --cluster prod-3.\n",
    });
    expect(await evenkeel("admin cluster rebind prod-3 --uid u-2 --yes", "n")).toMatchObject({
      code: 0,
      err: "",
      out: expect.stringMatching(/^Bound cluster prod-3 to uid u-2\.\n/),
    });
    expect((await evenkeel("admin cluster remove prod-3")).out).toBe(
      "Removed cluster prod-3: 2 rows of objects, 2 resource types, 1 runs.\n" +
        "Its name refuses agents. To free it: evenkeel admin cluster remove prod-3 --forget\n",
    );
    expect((await evenkeel("admin cluster remove prod-3 --forget")).out).toContain("Its name is free.\n");
    expect(await evenkeel("admin cluster remove prod-3")).toMatchObject({
      code: 1,
      err: expect.stringMatching(/^evenkeel: cluster "prod-3": not found in account/),
    });
    expect(await evenkeel("admin cluster rename prod-3 Prod_3")).toMatchObject({ code: 2 });
    expect(await evenkeel("admin cluster rebind prod-3")).toMatchObject({ code: 2 });
  });
});
