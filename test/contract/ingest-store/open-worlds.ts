import { randomUUID } from "node:crypto";
import { afterEach, expect } from "vitest";
import { findCountErrors } from "../../support/store/count-errors.ts";
import { World, type WorldOptions } from "../../support/store/world.ts";

/** Opens worlds, each with its own cluster, a first session and the default scope. Closes them after each test. */
export function openWorlds(
  database: { readonly url: string },
  options: Pick<WorldOptions, "guard"> = {},
): () => Promise<World> {
  const worlds: World[] = [];
  afterEach(async () => {
    const closing = worlds.splice(0);
    try {
      for (const world of closing) {
        await expectTrueCounts(world);
      }
    } finally {
      await Promise.all(closing.map((world) => world[Symbol.asyncDispose]()));
    }
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

/** Compares the kept numbers with the rows after each test in which only the store wrote. */
async function expectTrueCounts(world: World): Promise<void> {
  if (!world.isEdited) {
    const errors = await findCountErrors(world.database.pool);
    expect(errors.filter(({ cluster }) => cluster === world.cluster)).toEqual([]);
  }
}
