import { randomUUID } from "node:crypto";
import { afterAll } from "vitest";
import type { Clock } from "../../../src/lib/clock.ts";
import { World } from "../../support/store/world.ts";

/** Opens worlds of their own cluster each, with a first session and the default scope, and closes them at the end. */
export function openWorlds(database: { readonly url: string }): (clock?: Clock) => Promise<World> {
  const worlds: World[] = [];
  afterAll(async () => {
    await Promise.all(worlds.map((world) => world[Symbol.asyncDispose]()));
  });
  return async (clock) => {
    const world = new World(database.url, `cluster-${randomUUID()}`, clock);
    worlds.push(world);
    await world.connect();
    // The run of a first connect would keep the runs that tests ask for out.
    await world.sql("DELETE FROM reconciliation_run WHERE cluster = $1");
    await world.declare();
    return world;
  };
}
