import type { Mutant } from "./mutant.ts";

const LINEAR_TESTS = ["test/unit/linear-time.test.ts"];

/** Protections of a process against what one request or one object costs. */
export const limitMutants: readonly Mutant[] = [
  {
    race: "L1",
    file: "src/domain/canonical-json.ts",
    find: "\\d{1,15}(?:\\d|\\.\\d|[eE])/;",
    replace: "(?:\\d{16,}|\\d+\\.\\d|\\d+[eE])[\\d.eE+-]*(?:[\\s,}\\]]|$)/;",
    tests: LINEAR_TESTS,
    only: "a string in JSON",
  },
  {
    race: "L1",
    file: "src/domain/canonical-number.ts",
    find: 'trimEnd(digits, "0")',
    replace: 'digits.replace(/0+$/, "")',
    tests: LINEAR_TESTS,
    only: "zeros inside",
  },
  {
    race: "L1",
    file: "src/bus/pulsar-admin/admin-error.ts",
    find: '.replace("--- An unexpected error occurred in the server ---", "")',
    replace: '.replace(/-+ An unexpected error occurred in the server -+/, "")',
    tests: LINEAR_TESTS,
    only: "each regular expression",
  },
];
