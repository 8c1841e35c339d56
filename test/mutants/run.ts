import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Mutant } from "./mutant.ts";
import { mutants } from "./mutants.ts";
import { MutatedTree, ROOT } from "./mutated-tree.ts";

/*
 * Removes protections one by one, in a copy of the tree, and prints the ones that no test notices.
 *
 *   node test/mutants/run.ts [R5 R12 ...]
 *
 * Fails when a mutant survives, when its text is not found exactly once, or when its tests fail without it too.
 */

/** With some mutants, a test never ends. */
const TIMEOUT_MS = 300_000;

const races = new Set(process.argv.slice(2));
const chosen = mutants.filter(({ race }) => races.size === 0 || races.has(race));
for (const mutant of chosen) {
  assertFoundOnce(mutant);
}
using tree = new MutatedTree();
process.exitCode = (await runAll()) ? 0 : 1;

async function runAll(): Promise<boolean> {
  const files = [...new Set(chosen.flatMap(({ tests }) => tests))];
  if (!(await passes(files, undefined, 10 * TIMEOUT_MS))) {
    console.error("the tests fail without any mutant");
    return false;
  }
  let survivors = 0;
  for (const mutant of chosen) {
    const started = performance.now();
    const isKilled = await kills(mutant);
    survivors += isKilled ? 0 : 1;
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    const { race, file, find } = mutant;
    const line = find.trim().split("\n", 1)[0]?.slice(0, 70);
    console.log(
      `${race.padEnd(4)} ${isKilled ? "killed  " : "SURVIVED"} ${seconds.padStart(5)} s  ${file}: ${line}`,
    );
  }
  console.log(`${chosen.length - survivors} of ${chosen.length} mutants killed`);
  return survivors === 0;
}

function assertFoundOnce({ race, file, find }: Mutant): void {
  const count = readFileSync(join(ROOT, file), "utf8").split(find).length - 1;
  if (count !== 1) {
    throw new Error(`${race}: expected this once in ${file}, found it ${count} times:\n${find}`);
  }
}

async function kills(mutant: Mutant): Promise<boolean> {
  return !(await tree.withMutant(mutant, () => passes(mutant.tests, mutant.only, TIMEOUT_MS)));
}

/** Returns true if the tests pass within `timeoutMs`. */
async function passes(
  files: readonly string[],
  only: string | undefined,
  timeoutMs: number,
): Promise<boolean> {
  const vitest = join(ROOT, "node_modules/vitest/vitest.mjs");
  const args = [vitest, "run", "--bail=1", ...(only === undefined ? [] : ["-t", only]), ...files];
  const child = spawn(process.execPath, args, {
    cwd: tree.directory,
    stdio: only === undefined && files.length > 1 ? ["ignore", "inherit", "inherit"] : "ignore",
    signal: AbortSignal.timeout(timeoutMs),
    killSignal: "SIGTERM",
  });
  // The error of an aborted child would reject `once`; its exit follows in every case.
  child.on("error", () => {});
  const code = await new Promise((resolve) => child.once("exit", resolve));
  return code === 0;
}
