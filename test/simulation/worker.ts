import type { Violation } from "./checker.ts";
import { InProcessPostgres } from "./in-process-postgres.ts";
import { createPlan } from "./plan.ts";
import { formatFailure } from "./report.ts";
import { shrink } from "./shrink.ts";
import { simulate } from "./simulate.ts";

/** Result of one seed, as a worker process sends it. */
export interface SeedResult {
  readonly seed: number;
  readonly hash: string;
  readonly settledMs: number;
  /** Names of the faults and races that happened. */
  readonly reached: readonly string[];
  /** Report of a broken invariant, for people; undefined if all held. */
  readonly failure: string | undefined;
}

/*
 * A worker of the simulator: it receives seeds, runs them one after the other, and sends their results. A failing plan
 * is shrunk first.
 */

const postgres = await InProcessPostgres.create();

async function runSeed(seed: number): Promise<SeedResult> {
  const plan = createPlan(seed);
  const { hash, settledMs, reached, violations } = await simulate(plan, postgres);
  const [first] = violations;
  const failure = first && (await explain(seed, first));
  return { seed, hash, settledMs, reached: [...reached.keys()], failure };
}

async function explain(seed: number, { invariant }: Violation): Promise<string> {
  const run = async (plan: ReturnType<typeof createPlan>) => (await simulate(plan, postgres)).violations;
  const plan = await shrink(createPlan(seed), invariant, run);
  return formatFailure(plan, await simulate(plan, postgres));
}

process.on("message", (seed: number) => {
  runSeed(seed).then(
    (result) => process.send?.(result),
    (error: unknown) => {
      const failure = `seed ${seed}: the simulation failed: ${error instanceof Error ? error.stack : error}`;
      process.send?.({ seed, hash: "", settledMs: 0, reached: [], failure } satisfies SeedResult);
    },
  );
});
process.send?.("ready");
