import type { Mutant } from "./mutant.ts";

const SKIP_TESTS = ["test/unit/support/vitest/skip-reporter.test.ts"];

/** Protections of the test run itself: what was not run must not count as passed. */
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
];
