import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

/*
 * Plants the mutants that StrykerJS generates into one part of the product, and runs the tests of that part against each.
 *
 *   npm run mutants:generated -- reconciliation
 *
 * Prints the survivors and the score, and writes dist/mutation.json. A part takes minutes to hours.
 */

interface Part {
  readonly mutate: string | readonly string[];
  /** Tests that need no server. Each mutant runs those that reach it. */
  readonly tests: readonly string[];
}

const agentTests = (...names: readonly string[]): string[] =>
  names.map((name) => `test/unit/agent/${name}.test.ts`);

/** Short tests of a whole agent: races, and lists that are not as they should be. */
const WORLD_TESTS = agentTests("races", "abridged", "unversioned");

/** What the store decides without Postgres. A mutant of a statement would need a database. */
const PURE_STORE_FILES = [
  "src/store/session-store.ts",
  "src/store/postgres/@(observation|page|sql-error|timeouts).ts",
  "src/store/sql/@(binary-array|finding-differences).ts",
];

const PARTS: Readonly<Record<string, Part>> = {
  reconciliation: { mutate: "src/domain/reconciliation/*.ts", tests: ["test/unit/domain/**/*.test.ts"] },
  compare: { mutate: "src/agent/compare/*.ts", tests: [...agentTests("compare/*"), ...WORLD_TESTS] },
  uplink: { mutate: "src/agent/uplink/*.ts", tests: agentTests("uplink/*", "agent") },
  // Without the restore of 200 resource types, which takes longer than all others together.
  watch: {
    mutate: "src/agent/watch/*.ts",
    tests: [...agentTests("watch/!(restore-of-many)", "compare/difference-reader"), ...WORLD_TESTS],
  },
  scope: { mutate: "src/agent/scope/*.ts", tests: agentTests("scope/*", "scope") },
  // Without hundreds of agents that read odd texts.
  agent: {
    mutate: "src/agent/*.ts",
    tests: agentTests("!(unrepresentable)", "uplink/uplink", "compare/retry-budget"),
  },
  store: { mutate: PURE_STORE_FILES, tests: ["test/unit/store/**/*.test.ts"] },
};

const [name = "", ...options] = process.argv.slice(2);
const part = PARTS[name];
if (part === undefined) {
  console.error(`mutants:generated: expected one of ${Object.keys(PARTS).join(", ")}, found "${name}"`);
  process.exit(2);
}
const path = (relative: string): string => fileURLToPath(new URL(relative, import.meta.url));
const stryker = path("node_modules/@stryker-mutator/core/bin/stryker.js");
const config = path("stryker.config.mjs");
const { status } = spawnSync(
  process.execPath,
  [stryker, "run", config, "--mutate", String(part.mutate), ...options],
  { stdio: "inherit", env: { ...process.env, EVENKEEL_MUTANT_TESTS: part.tests.join(",") } },
);
process.exitCode = status ?? 1;
