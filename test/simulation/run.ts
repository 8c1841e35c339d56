import { InProcessPostgres } from "./in-process-postgres.ts";
import { createPlan } from "./plan.ts";
import { simulate } from "./simulate.ts";

const [first = "1", count = "1"] = process.argv.slice(2);
await using postgres = await InProcessPostgres.create();
const started = performance.now();
for (let seed = Number(first); seed < Number(first) + Number(count); seed += 1) {
  const begun = performance.now();
  const plan = createPlan(seed);
  const result = await simulate(plan, postgres);
  const ms = Math.round(performance.now() - begun);
  console.log(
    seed,
    `${ms} ms`,
    result.hash.slice(0, 8),
    `${result.trace.length} lines`,
    `settled ${result.settledMs}`,
    plan.steps.length,
  );
  for (const violation of result.violations.slice(0, 5)) {
    console.log("  ", violation.invariant, violation.at, violation.cluster, violation.message);
  }
  if (process.env["TRACE"]) {
    console.log(result.trace.join("\n"));
  }
}
console.log(`${Math.round(performance.now() - started)} ms`);
process.exit(0);
