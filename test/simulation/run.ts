import { parseArgs } from "node:util";
import { countReached, formatCoverage } from "./coverage.ts";
import { InProcessPostgres } from "./in-process-postgres.ts";
import { createPlan, FAULTS, type Fault } from "./plan.ts";
import { formatFailure } from "./report.ts";
import { SeedPool } from "./seed-pool.ts";
import { simulate } from "./simulate.ts";

/*
 * Simulates the product on virtual time.
 *
 *   npm run simulate -- --seeds 100000 [--from 1] [--workers 2]   many seeds, with progress
 *   npm run simulate -- --seed 42                                 one seed, with its whole history
 *
 * Both with `--faults "messages lost,kill agent"`: plans have these faults and no others.
 *
 * Fails if an invariant is broken.
 */

const PROGRESS_MS = 10_000;

const { values } = parseArgs({
  options: {
    seeds: { type: "string", default: "500" },
    from: { type: "string", default: "1" },
    workers: { type: "string" },
    seed: { type: "string" },
    faults: { type: "string", default: "" },
  },
});

const faults = toFaults(values.faults);
if (values.seed === undefined) {
  process.exitCode = (await runMany(toCount("from"), toCount("seeds"))) ? 0 : 1;
} else {
  process.exitCode = (await runOne(toCount("seed"))) ? 0 : 1;
}

async function runOne(seed: number): Promise<boolean> {
  await using postgres = await InProcessPostgres.create();
  const plan = createPlan(seed, faults);
  const result = await simulate(plan, postgres);
  console.log(result.trace.join("\n"));
  console.log(`seed ${seed}: hash ${result.hash}, settled in ${result.settledMs} ms`);
  if (result.violations.length > 0) {
    console.log(formatFailure(plan, result));
  }
  return result.violations.length === 0;
}

async function runMany(firstSeed: number, count: number): Promise<boolean> {
  const started = performance.now();
  const results: { readonly reached: readonly string[] }[] = [];
  let [failures, shown] = [0, started];
  const showProgress = (): void => {
    const elapsed = (performance.now() - started) / 1000;
    const rate = (results.length / elapsed).toFixed(1);
    console.log(
      `${results.length} of ${count} seeds in ${elapsed.toFixed(0)} s (${rate}/s), ${failures} failed`,
    );
  };
  using pool = await SeedPool.create(values.workers === undefined ? undefined : toCount("workers"));
  const plans = Array.from({ length: count }, (_, at) => createPlan(firstSeed + at, faults));
  await pool.run(plans, (result) => {
    results.push(result);
    if (result.failure !== undefined) {
      failures += 1;
      console.log(result.failure);
    }
    if (performance.now() - shown >= PROGRESS_MS) {
      shown = performance.now();
      showProgress();
    }
  });
  console.log("share of the seeds that reached each fault and race:");
  console.log(formatCoverage(countReached(results), results.length));
  showProgress();
  return failures === 0;
}

function toFaults(names: string): Fault[] {
  const found = names === "" ? [] : names.split(",");
  const unknown = found.find((name) => !Object.hasOwn(FAULTS, name));
  if (unknown !== undefined) {
    const known = Object.keys(FAULTS).join(", ");
    console.error(`--faults: expected some of ${known}; found ${JSON.stringify(unknown)}`);
    process.exit(2);
  }
  return found as Fault[];
}

function toCount(name: "seeds" | "from" | "workers" | "seed"): number {
  const value = Number(values[name]);
  if (!Number.isSafeInteger(value) || value < 1) {
    console.error(`--${name}: expected a positive integer, found ${JSON.stringify(values[name])}`);
    process.exit(2);
  }
  return value;
}
