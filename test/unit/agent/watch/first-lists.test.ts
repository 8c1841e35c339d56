import { describe, expect, it } from "vitest";
import { askAll, createCustomWorld, customTypes } from "../../../support/agent/custom-types.ts";

const TYPES = customTypes(60);
const LIST_MS = 200;

describe("the lists of an agent that starts in a cluster with many resource types", () => {
  it("begin 16 at a time, those of a run included (L5)", async () => {
    await using world = createCustomWorld(TYPES);
    let [open, highest, lists] = [0, 0, 0];
    world.intercept = async ({ query }, go) => {
      if (query?.["limit"] === undefined) {
        return await go();
      }
      open += 1;
      lists += 1;
      highest = Math.max(highest, open);
      await world.clock.sleep(new AbortController().signal, LIST_MS);
      open -= 1;
      return await go();
    };
    await world.start();
    askAll(world, TYPES);
    await world.advance(30_000);
    expect(lists).toBeGreaterThanOrEqual(TYPES.length);
    expect(highest).toBe(16);
    expect(world.backend.reconciled.filter(({ failure }) => failure === undefined)).toHaveLength(
      TYPES.length,
    );
  });

  it("are not delayed for long by resource types that give no answer (L5)", async () => {
    await using world = createCustomWorld(TYPES);
    const answers = Promise.withResolvers<void>();
    const silent = new Set(TYPES.slice(0, 20).map((key) => key.split(".", 1)[0]));
    world.intercept = async ({ path, query }, go) => {
      const resource = path.split("/").at(-1);
      if (query?.["limit"] !== undefined && silent.has(resource)) {
        await answers.promise;
      }
      return await go();
    };
    await world.start();
    const begun = world.clock.monotonic();
    while (world.agent.counters.lists < TYPES.length - silent.size) {
      expect(world.clock.monotonic() - begun).toBeLessThan(25_000);
      await world.advance(1_000);
    }
    answers.resolve();
  });
});
