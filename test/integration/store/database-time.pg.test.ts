import { randomUUID } from "node:crypto";
import { expect, test } from "vitest";
import { createSystemClock } from "../../../src/lib/clock.ts";
import { createPgFleetStore } from "../../../src/store/postgres/pg-fleet-store.ts";
import { describeWithPostgres } from "../../support/postgres/postgres.ts";
import { PODS, put } from "../../support/store/messages.ts";
import { World } from "../../support/store/world.ts";

const CONNECT_RUN = "DELETE FROM reconciliation_run WHERE cluster = $1";

describeWithPostgres("the time of statements", (database) => {
  /** Returns a world with a session, the default scope and no run. */
  async function openWorld(): Promise<World> {
    const world = new World(database.url, `cluster-${randomUUID()}`);
    await world.connect();
    await world.sql(CONNECT_RUN);
    await world.declare();
    return world;
  }

  const verifiedTimes = async (world: World): Promise<unknown[]> =>
    await world.sql(
      `SELECT verified_at <= now() AS past, verified_at > now() - interval '1 minute' AS recent
       FROM resource_state WHERE cluster = $1`,
    );

  test("R60: a run that began in the future verifies as of now at the latest", async () => {
    await using world = await openWorld();
    const { request } = await world.beginRun();
    await world.sql("UPDATE reconciliation_run SET started_at = now() + interval '1 day' WHERE cluster = $1");
    await world.verifyResource(request.runId, PODS, 7, world.sequence + 1n);
    expect(
      await world.sql(
        "SELECT verified_at <= now() AS past FROM resource_state WHERE cluster = $1 AND resource = 'pods'",
      ),
    ).toEqual([{ past: true }]);
  });

  test("R60: a verified time in the future counts as never, and the next run replaces it", async () => {
    await using world = await openWorld();
    await world.apply(put("a/web", { observed: 5 }));
    await world.verifyAll(6);
    await world.sql("UPDATE resource_state SET verified_at = now() + interval '1 day' WHERE cluster = $1");
    const store = createPgFleetStore(world.database, createSystemClock());
    const cluster = await store.getCluster(world.signal, world.account, world.cluster);
    expect(cluster?.freshness?.verifiedTime).toBeUndefined();
    expect(cluster?.resources.map(({ freshness }) => freshness?.verifiedTime)).toEqual([
      undefined,
      undefined,
    ]);
    const objects = await store.listObjects(world.signal, world.account, {
      after: undefined,
      limit: 10,
      clusters: [world.cluster],
      resources: [],
      namespace: undefined,
      namePrefix: undefined,
      hasContent: false,
    });
    expect(objects.items.map(({ freshness }) => freshness?.verifiedTime)).toEqual([undefined]);
    await world.verifyAll(8);
    expect(await verifiedTimes(world)).toEqual([
      { past: true, recent: true },
      { past: true, recent: true },
    ]);
  });

  test("R60: a run that began in the future is expired, and does not delay the next one", async () => {
    await using world = await openWorld();
    const { request } = await world.beginRun();
    await world.sql(
      `UPDATE reconciliation_run SET started_at = now() + interval '1 day', deadline_at = now() + interval '25 hours'
       WHERE cluster = $1`,
    );
    await world.runs.expireRuns(world.signal);
    expect(await world.sql("SELECT id, state FROM reconciliation_run WHERE cluster = $1")).toEqual([
      { id: request.runId, state: "EXPIRED" },
    ]);
    const own = { account: world.account, cluster: world.cluster, epoch: world.epoch };
    expect(await world.runs.listDue(world.signal, [own], 600_000)).toEqual([own]);
  });

  test("R60: a run is due an interval after the last one began, by the time of the database", async () => {
    await using world = await openWorld();
    await world.verifyAll(6);
    const own = { account: world.account, cluster: world.cluster, epoch: world.epoch };
    expect(await world.runs.listDue(world.signal, [own], 600_000)).toEqual([]);
    await world.sql(
      "UPDATE reconciliation_run SET started_at = now() - interval '11 minutes' WHERE cluster = $1",
    );
    expect(await world.runs.listDue(world.signal, [own], 600_000)).toEqual([own]);
  });

  test("due sessions keep their order, so that an equal input has an equal result", async () => {
    await using world = await openWorld();
    const sessions = [];
    for (const name of ["c", "a", "d", "b"]) {
      await using other = new World(database.url, `${world.cluster}-${name}`);
      await other.connect();
      await other.sql(CONNECT_RUN);
      sessions.push({ account: other.account, cluster: other.cluster, epoch: other.epoch });
    }
    expect(await world.runs.listDue(world.signal, sessions, 1)).toEqual(sessions);
    expect(await world.runs.listDue(world.signal, sessions.toReversed(), 1)).toEqual(sessions.toReversed());
  });

  test("R60: the epoch and the change numbers are at least the time of the database, and never go back", async () => {
    await using world = await openWorld();
    await world.apply(put("a/web", { observed: 5 }));
    expect(
      await world.sql(
        `SELECT epoch BETWEEN extract(epoch FROM now() - interval '1 minute') * 1000 AND extract(epoch FROM now()) * 1000
                  AS epoch,
                change_seq > extract(epoch FROM now() - interval '1 minute') * 1000000 AS number
         FROM cluster WHERE name = $1`,
      ),
    ).toEqual([{ epoch: true, number: true }]);
    await world.sql("UPDATE cluster SET epoch = epoch + 86400000 WHERE name = $1");
    const { epoch } = world;
    await world.connect();
    expect(world.epoch).toBe(epoch + 86_400_001n);
  });

  test("R60: a session whose last sign of life is in the future counts as not connected", async () => {
    await using world = await openWorld();
    await world.sql("UPDATE agent_session SET seen_at = now() + interval '1 day' WHERE cluster = $1");
    await expect(world.beginRun()).rejects.toThrow("not connected");
    const own = { account: world.account, cluster: world.cluster, epoch: world.epoch };
    await world.sessions.keepSessions(world.signal, [own]);
    await world.beginRun();
  });
});
