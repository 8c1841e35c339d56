import type { Violation } from "./checker.ts";
import { InProcessPostgres } from "./in-process-postgres.ts";
import type { Plan } from "./plan.ts";
import { formatFailure } from "./report.ts";
import { shrink } from "./shrink.ts";
import { simulate } from "./simulate.ts";

/** Result of one plan, as a worker process sends it. */
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
 * A worker of the simulator: it receives plans, runs them one after the other, and sends their results. A failing plan
 * is shrunk first.
 */

const postgres = await InProcessPostgres.create();

async function runPlan(plan: Plan): Promise<SeedResult> {
  const { hash, settledMs, reached, violations } = await simulate(plan, postgres);
  const [first] = violations;
  const failure = first && (await explain(plan, first));
  return { seed: plan.seed, hash, settledMs, reached: [...reached.keys()], failure };
}

async function explain(plan: Plan, { invariant }: Violation): Promise<string> {
  const run = async (fewer: Plan) => (await simulate(fewer, postgres)).violations;
  const shrunk = await shrink(plan, invariant, run);
  return formatFailure(shrunk, await simulate(shrunk, postgres));
}

process.on("message", (plan: Plan) => {
  const { seed } = plan;
  runPlan(plan).then(
    (result) => process.send?.(result),
    (error: unknown) => {
      const failure = `seed ${seed}: the simulation failed: ${error instanceof Error ? error.stack : error}`;
      process.send?.({ seed, hash: "", settledMs: 0, reached: [], failure } satisfies SeedResult);
    },
  );
});
process.send?.("ready");
