import { beforeEach, describe, expect, it } from "vitest";
import type { FleetFreshness } from "../../../src/store/freshness-store.ts";
import { createPgClusterAdmin } from "../../../src/store/postgres/pg-cluster-admin.ts";
import { createPgFreshnessStore } from "../../../src/store/postgres/pg-freshness-store.ts";
import { CONFIG_MAPS, PODS } from "../../support/store/messages.ts";
import type { World } from "../../support/store/world.ts";
import { openWorlds } from "./open-worlds.ts";

const MINUTE_MS = 60_000;

/** The age of the copy, over all clusters of the database. */
export function describeFreshness(database: { readonly url: string }): void {
  const openWorld = openWorlds(database);

  /** Reads the freshness with a limit of 30 minutes, and the oldest age in minutes. Postgres rounds times to 1 ms. */
  async function freshness(world: World): Promise<FleetFreshness> {
    const read = await createPgFreshnessStore(world.database).readFreshness(world.signal, 30 * MINUTE_MS);
    return { ...read, oldestAgeMs: Math.round(read.oldestAgeMs / MINUTE_MS) * MINUTE_MS };
  }
  const minutes = (clusters: number, staleClusters: number, oldest: number): FleetFreshness => ({
    ...{ clusters, staleClusters },
    oldestAgeMs: oldest * MINUTE_MS,
  });
  /** Moves the times of the cluster and of its resource types into the past. */
  const age = (world: World, interval: string, where = "TRUE") =>
    world.sql(
      `UPDATE resource_state SET joined_at = now() - interval '${interval}',
         verified_at = CASE WHEN verified_at IS NOT NULL THEN now() - interval '${interval}' END
       WHERE cluster = $1 AND ${where}`,
    );
  const createdAgo = (world: World, interval: string) =>
    world.sql(`UPDATE cluster SET created_at = now() - interval '${interval}' WHERE name = $1`);

  describe("freshness", () => {
    let world: World;
    beforeEach(async () => {
      world = await openWorld();
      // It is that of all clusters, so those of earlier tests must go.
      await world.sql("DELETE FROM cluster WHERE name <> $1");
      await world.sql("DELETE FROM resource_state WHERE cluster <> $1");
    });

    it("is the age of the oldest resource type, and a cluster above the limit is stale (L30)", async () => {
      await world.verifyAll(20);
      expect(await freshness(world)).toEqual(minutes(1, 0, 0));
      await age(world, "10 min");
      await age(world, "29 min 5 s", "resource = 'pods'");
      expect(await freshness(world)).toEqual(minutes(1, 0, 29));
      await age(world, "30 min 1 s", "resource = 'pods'");
      expect(await freshness(world)).toEqual(minutes(1, 1, 30));
      const other = await openWorld();
      await other.verifyAll(20);
      expect(await freshness(world)).toEqual(minutes(2, 1, 30));
    });

    it("counts a cluster whose agent is gone, and one that was never verified from its first session (L30)", async () => {
      await world.verifyAll(20);
      await age(world, "2 h");
      await world.sessions.closeSession(world.signal, world.at(0n), false);
      await world.sql("DELETE FROM agent_session WHERE cluster = $1");
      expect(await freshness(world)).toEqual(minutes(1, 1, 120));
      const other = await openWorld();
      await createdAgo(other, "3 h");
      expect(await freshness(world)).toEqual(minutes(2, 2, 180));
      await other.sql("DELETE FROM resource_state WHERE cluster = $1");
      expect(await freshness(world)).toEqual(minutes(2, 2, 180));
    });

    it("does not count a removed cluster (L30)", async () => {
      await age(world, "2 h");
      await createdAgo(world, "2 h");
      expect(await freshness(world)).toEqual(minutes(1, 1, 120));
      await createPgClusterAdmin(world.database).remove(world.signal, world.account, world.cluster, false);
      expect(await freshness(world)).toEqual(minutes(0, 0, 0));
    });

    it("counts no resource type out of scope, and none that the agent was never able to read (L30)", async () => {
      await world.verifyAll(20);
      await age(world, "2 h", "resource = 'configmaps'");
      expect(await freshness(world)).toEqual(minutes(1, 1, 120));
      await world.sql(
        "UPDATE resource_state SET availability = 'NOT_READABLE' WHERE cluster = $1 AND resource = 'configmaps'",
      );
      expect(await freshness(world)).toEqual(minutes(1, 0, 0));
      await world.sql("UPDATE resource_state SET availability = 'READABLE' WHERE cluster = $1");
      await world.declare([PODS], [], [CONFIG_MAPS]);
      expect(await freshness(world)).toEqual(minutes(1, 0, 0));
    });

    it("counts an unverified resource type of a verified cluster from the time at which it joined (L30)", async () => {
      await createdAgo(world, "5 h");
      await world.verifyAll(20);
      await world.sql(
        "UPDATE resource_state SET verified_at = NULL WHERE cluster = $1 AND resource = 'pods'",
      );
      expect(await freshness(world)).toEqual(minutes(1, 0, 0));
      await age(world, "40 min", "resource = 'pods'");
      expect(await freshness(world)).toEqual(minutes(1, 1, 40));
    });

    it("treats a verified time in the future as none (R60, L30)", async () => {
      await createdAgo(world, "1 h");
      await world.verifyAll(20);
      await world.sql("UPDATE resource_state SET verified_at = now() + interval '1 day' WHERE cluster = $1");
      expect(await freshness(world)).toEqual(minutes(1, 1, 60));
    });
  });
}
