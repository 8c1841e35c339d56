import { randomUUID } from "node:crypto";
import { afterEach } from "vitest";
import { World, type WorldOptions } from "../../support/store/world.ts";

/** Opens worlds, each with its own cluster, a first session and the default scope. Closes them after each test. */
export function openWorlds(
  database: { readonly url: string },
  options: Pick<WorldOptions, "guard"> = {},
): () => Promise<World> {
  const worlds: World[] = [];
  afterEach(async () => {
    await Promise.all(worlds.splice(0).map((world) => world[Symbol.asyncDispose]()));
  });
  return async () => {
    const world = new World(database.url, `cluster-${randomUUID()}`, options);
    worlds.push(world);
    await world.connect();
    // The run of the first connect would exclude the runs that tests request.
    await world.sql("DELETE FROM reconciliation_run WHERE cluster = $1");
    await world.declare();
    return world;
  };
}
