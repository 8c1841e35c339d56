import type { Mutant } from "./mutant.ts";

const LINEAR_TESTS = ["test/unit/linear-time.test.ts"];
const VALIDATION_TESTS = ["test/unit/rpc/server/validation.test.ts"];
const ERROR_TESTS = ["test/unit/rpc/server/error-mapping.test.ts"];

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
    file: "src/domain/canonical-json.ts",
    find: 'trimEnd(digits, "0")',
    replace: 'digits.replace(/0+$/, "")',
    tests: LINEAR_TESTS,
    only: "zeros inside",
  },
  {
    race: "L1",
    file: "src/bus/pulsar/admin/admin-error.ts",
    find: '.replace("--- An unexpected error occurred in the server ---", "")',
    replace: '.replace(/-+ An unexpected error occurred in the server -+/, "")',
    tests: LINEAR_TESTS,
    only: "each regular expression",
  },
  {
    race: "L2",
    file: "src/rpc/server/validation.ts",
    find: "regexMatch, failFast: true",
    replace: "regexMatch",
    tests: VALIDATION_TESTS,
    only: "first violation only",
  },
  {
    race: "L2",
    file: "src/rpc/server/validation.ts",
    find: " && remainingWeight(message, MAX_WEIGHT) > 0",
    replace: "",
    tests: VALIDATION_TESTS,
    only: "first violation only",
  },
  {
    race: "L2",
    file: "src/rpc/server/validation.ts",
    find: "weight - OBJECT_WEIGHT",
    replace: "weight",
    tests: VALIDATION_TESTS,
    only: "first violation only",
  },
  {
    race: "L2",
    file: "src/rpc/server/error-mapping.ts",
    find: "truncate(rawMessage, MAX_TEXT_BYTES)",
    replace: "rawMessage",
    tests: ERROR_TESTS,
    only: "without end",
  },
  {
    race: "L2",
    file: "src/rpc/server/error-mapping.ts",
    find: "violations.slice(0, MAX_VIOLATIONS)",
    replace: "violations",
    tests: ERROR_TESTS,
    only: "without end",
  },
  {
    race: "L2",
    file: "src/rpc/server/error-mapping.ts",
    find: "bytes > MAX_VIOLATIONS_BYTES",
    replace: "bytes < 0",
    tests: ERROR_TESTS,
    only: "without end",
  },
];
