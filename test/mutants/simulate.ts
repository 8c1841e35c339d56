import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";
import type { Fault } from "../simulation/plan.ts";
import { mutants } from "./mutants.ts";
import { MutatedTree } from "./mutated-tree.ts";
import { RACE_FAULTS } from "./race-faults.ts";
import type { Found } from "./simulate-mutant.ts";

/*
 * Removes protections one by one, in a copy of the tree, and lets the simulator search a violation of an invariant.
 *
 *   node test/mutants/simulate.ts [--seeds 50] [--workers 2] [R5 R12 ...]
 *
 * The plans have faults that can show the race of the mutant. Prints the invariant that each mutant breaks, and after
 * how many seeds. A survivor is no failure: many protections matter only to parts that the simulation replaces, and the
 * mutants' own tests need each of them.
 */

/** The product's code that the simulation runs. */
const SIMULATED = /^src\/(agent|backend|domain|event|ingester|store)\//;
/** With some mutants, a simulation never ends. Without one, a seed takes about a second. */
const SEED_TIMEOUT_MS = 120_000;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { seeds: { type: "string", default: "50" }, workers: { type: "string", default: "2" } },
});
const races = new Set(positionals);
const waiting = mutants.filter(
  ({ race, file }) => SIMULATED.test(file) && (races.size === 0 || races.has(race)),
);
const total = waiting.length;
const killedBy: string[] = [];
await Promise.all(Array.from({ length: Number(values.workers) }, work));
for (const [invariant, found] of Map.groupBy(killedBy, (each) => each)) {
  console.log(`${String(found.length).padStart(4)} by ${invariant}`);
}
console.log(`${killedBy.length} of ${total} mutants found in ${values.seeds} seeds each`);

async function work(): Promise<void> {
  using tree = new MutatedTree();
  for (let mutant = waiting.shift(); mutant !== undefined; mutant = waiting.shift()) {
    const { race, file, find } = mutant;
    const found = await tree.withMutant(mutant, () => findViolation(tree.directory, RACE_FAULTS[race] ?? []));
    const line = find.trim().split("\n", 1)[0]?.slice(0, 60);
    const result = found.invariant === undefined ? "survived" : `${found.invariant}, ${found.seeds} seeds`;
    console.log(`${race.padEnd(4)} ${result.padEnd(28)} ${file}: ${line}`);
    if (found.invariant !== undefined) {
      killedBy.push(found.invariant);
    }
  }
}

async function findViolation(cwd: string, faults: readonly Fault[]): Promise<Found> {
  const args = ["test/mutants/simulate-mutant.ts", values.seeds, faults.join(",")];
  const child = spawn(process.execPath, args, { cwd, stdio: ["ignore", "pipe", "ignore"] });
  try {
    return await readResult(child);
  } finally {
    child.kill("SIGKILL");
  }
}

/** Reads the output of a simulation. An end without a result, and a seed without an end, count as violations too. */
async function readResult(child: ChildProcess): Promise<Found> {
  let seeds = 1;
  let timer = setTimeout(() => {}, 0);
  const watch = (): void => {
    clearTimeout(timer);
    timer = setTimeout(() => child.kill("SIGKILL"), SEED_TIMEOUT_MS);
  };
  watch();
  try {
    for await (const line of createInterface({ input: child.stdout as NodeJS.ReadableStream })) {
      watch();
      if (line.startsWith("{")) {
        return JSON.parse(line) as Found;
      }
      seeds = Number(line) + 1;
    }
    return { seeds, invariant: child.killed ? "no end" : "process ended" };
  } finally {
    clearTimeout(timer);
  }
}
