import { expect, it } from "vitest";
import { countReached, formatCoverage, MUST_REACH } from "./coverage.ts";
import { simulateSeeds } from "./seed-pool.ts";
import type { SeedResult } from "./worker.ts";

const SEEDS = 500;

/** Runs the seeds and returns their results, by seed. */
async function run(firstSeed: number, count: number): Promise<Map<number, SeedResult>> {
  const results = new Map<number, SeedResult>();
  await simulateSeeds({ firstSeed, count, onResult: (result) => results.set(result.seed, result) });
  return results;
}

it("an equal seed results in an equal history", async () => {
  const [first, second] = [await run(1, 6), await run(1, 6)];
  const hashes = [...first].map(([seed, { hash }]) => [seed, hash]);
  expect([...second].map(([seed, { hash }]) => [seed, hash]).toSorted()).toEqual(hashes.toSorted());
  expect(new Set(hashes.map(([, hash]) => hash)).size).toBe(6);
});

it(`${SEEDS} simulations keep every invariant, and reach every fault and race`, async () => {
  const results = await run(1, SEEDS);
  const reached = countReached(results.values());
  console.log(`share of ${SEEDS} simulations that reached each fault and race:`);
  console.log(formatCoverage(reached, SEEDS));
  const failures = [...results.values()].flatMap(({ failure }) => failure ?? []);
  expect(failures.join("\n\n")).toBe("");
  expect(MUST_REACH.filter((name) => !reached.has(name))).toEqual([]);
});
