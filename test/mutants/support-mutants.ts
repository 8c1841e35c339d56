import type { Mutant } from "./mutant.ts";

const PROSE_TESTS = ["test/unit/lint/check-prose.test.ts"];
const RELEASE_TESTS = ["test/unit/lint/release-problems.test.ts"];
const FAILURE_TESTS = ["test/unit/support/vitest/show-failures.test.ts"];
const SLOW_TESTS = ["test/unit/support/vitest/slow-file-reporter.test.ts"];
const SKIP_TESTS = ["test/unit/support/vitest/skip-reporter.test.ts"];

/** Protections of the test run, the prose and the releases. */
export const supportMutants: readonly Mutant[] = [
  {
    race: "CI",
    file: "test/support/vitest/skip-reporter.ts",
    find: "isFailure: isCi && skipped.length > 0",
    replace: "isFailure: false",
    tests: SKIP_TESTS,
  },
  {
    race: "CI",
    file: "test/support/vitest/optional-parts.ts",
    find: "fullName.includes(",
    replace: "missing.length > 0 || fullName.includes(",
    tests: SKIP_TESTS,
  },
  {
    race: "CI",
    file: "test/support/vitest/skip-reporter.ts",
    find: '    ...toLines(optional, "tests not run, which need an optional part"),\n',
    replace: "",
    tests: SKIP_TESTS,
  },
  {
    race: "SLOW",
    file: "test/support/vitest/slow-file-reporter.ts",
    find: "seconds > MAX_SECONDS && ",
    replace: "seconds > 6 * MAX_SECONDS && ",
    tests: SLOW_TESTS,
  },
  {
    race: "SLOW",
    file: "test/support/vitest/slow-file-reporter.ts",
    find: "isLimit && unexpected.length > 0",
    replace: "false",
    tests: SLOW_TESTS,
  },
  {
    race: "LOGS",
    file: "test/support/vitest/show-failures.ts",
    find: "  testRecord.clear();\n  onTestFailed",
    replace: "  onTestFailed",
    tests: FAILURE_TESTS,
    only: "lines of its own logs",
  },
  {
    race: "LOGS",
    file: "test/support/vitest/test-log.ts",
    find: "testRecord.add(",
    replace: "String(",
    tests: FAILURE_TESTS,
    only: "lines of its own logs",
  },
  {
    race: "LOGS",
    file: "test/support/e2e/programs.ts",
    find: "testRecord.add(",
    replace: "String(",
    tests: FAILURE_TESTS,
    only: "output of the programs",
  },
  {
    race: "LOGS",
    file: "test/support/vitest/test-record.ts",
    find: "const newest = this.#lines.slice(-MAX_LINES);",
    replace: "const newest = this.#lines;",
    tests: FAILURE_TESTS,
    only: "newest 200 lines",
  },
  {
    race: "LOGS",
    file: "test/support/vitest/show-failures.ts",
    find: "error.diff = shortenText(error.diff, MAX_DIFF_LINES, MAX_DIFF_LINE_LENGTH);",
    replace: "",
    tests: FAILURE_TESTS,
    only: "large difference",
  },
  {
    race: "LOGS",
    file: "vitest.config.ts",
    find: "expand: false",
    replace: "expand: true",
    tests: FAILURE_TESTS,
    only: "one row among thousands",
  },
  {
    race: "CI",
    file: "scripts/lint/prose.ts",
    find: "|Whether|",
    replace: "|",
    tests: PROSE_TESTS,
  },
  {
    race: "CI",
    file: "scripts/lint/prose.ts",
    find: "isRegExp && take(",
    replace: "false && take(",
    tests: PROSE_TESTS,
  },
  {
    race: "CI",
    file: "scripts/check-prose.ts",
    find: "process.exitCode = rounded > limit ? 1",
    replace: "process.exitCode = rounded > limit ? 0",
    tests: PROSE_TESTS,
  },
  {
    race: "CI",
    file: "scripts/lint/release-problems.ts",
    find: "unreleased|pending",
    replace: "pending",
    tests: RELEASE_TESTS,
  },
];

const HELP_TESTS = ["test/e2e/help-examples.test.ts"];

/** Examples of `--help`, which have to work. */
export const helpMutants: readonly Mutant[] = [
  {
    race: "HELP",
    file: "src/cli/commands/objects.ts",
    find: "$ evenkeel object dev namespaces shop",
    replace: "$ evenkeel object dev namespaces no-such",
    tests: HELP_TESTS,
  },
  {
    race: "HELP",
    file: "src/cli/commands/programs.ts",
    find: "--resources pods,deployments.apps",
    replace: "--kinds v1/pods",
    tests: HELP_TESTS,
  },
];
