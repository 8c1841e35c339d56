import { InProcessPostgres } from "../simulation/in-process-postgres.ts";
import { createPlan, type Fault } from "../simulation/plan.ts";
import { simulate } from "../simulation/simulate.ts";

/** Result of the search for a violation. */
export interface Found {
  /** Number of seeds until the first violation; all of them if there was none. */
  readonly seeds: number;
  /** The broken invariant; undefined: none. */
  readonly invariant?: string;
}

/*
 * Simulates the seeds from 1 on until an invariant is broken, and prints a `Found` as JSON.
 *
 *   node test/mutants/simulate-mutant.ts COUNT [FAULT,FAULT...]
 */

const count = Number(process.argv[2]);
const faults = (process.argv[3] ?? "").split(",").filter((name) => name !== "") as Fault[];
await using postgres = await InProcessPostgres.create();
let found: Found = { seeds: count };
for (let seed = 1; seed <= count; seed += 1) {
  const [first] = (await simulate(createPlan(seed, faults), postgres)).violations;
  // A line for each seed lets the parent notice a simulation without an end.
  console.log(seed);
  if (first !== undefined) {
    found = { seeds: seed, invariant: first.invariant };
    break;
  }
}
console.log(JSON.stringify(found));
