import { afterAll, beforeAll, expect, it } from "vitest";
import { countReached, formatCoverage, MUST_REACH } from "./coverage.ts";
import { createPlan } from "./plan.ts";
import { REGRESSIONS } from "./regressions.ts";
import { SeedPool } from "./seed-pool.ts";
import type { SeedResult } from "./worker.ts";

const SEEDS = 500;
const REPEATED = 12;

const plans = Array.from({ length: SEEDS }, (_, at) => createPlan(at + 1));
let pool: SeedPool;
const results = new Map<number, SeedResult>();

beforeAll(async () => {
  pool = await SeedPool.create();
});

afterAll(() => pool[Symbol.dispose]());

it(`${SEEDS} simulations keep every invariant, and reach every fault and race`, async () => {
  await pool.run(plans, (result) => results.set(result.seed, result));
  const reached = countReached(results.values());
  console.log(`share of ${SEEDS} simulations that reached each fault and race:`);
  console.log(formatCoverage(reached, SEEDS));
  const failures = [...results.values()].flatMap(({ failure }) => failure ?? []);
  expect(failures.join("\n\n")).toBe("");
  expect(MUST_REACH.filter((name) => !reached.has(name))).toEqual([]);
});

it("an equal seed results in an equal history, whatever was simulated before", async () => {
  // Compared at the end: an error now would leave processes at work when the next test begins.
  const repeated: SeedResult[] = [];
  await pool.run(plans.slice(0, REPEATED), (result) => repeated.push(result));
  for (const { seed, hash } of repeated) {
    expect([seed, hash]).toEqual([seed, results.get(seed)?.hash]);
  }
  expect(new Set(repeated.map(({ hash }) => hash)).size).toBe(REPEATED);
});

it("the plans that once broke an invariant keep every one", async () => {
  const failures: string[] = [];
  await pool.run(
    REGRESSIONS.map(({ plan }) => plan),
    ({ failure }) => failures.push(...(failure === undefined ? [] : [failure])),
  );
  expect(failures.join("\n\n")).toBe("");
});
