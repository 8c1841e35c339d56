import type { Mutant } from "./mutant.ts";

const LINEAR_TESTS = ["test/unit/linear-time.test.ts"];
const VALIDATION_TESTS = ["test/unit/rpc/server/validation.test.ts"];
const ERROR_TESTS = ["test/unit/rpc/server/error-mapping.test.ts"];

const LIMITS = "src/rpc/server/service-limits.ts";
const HEALTH = "src/rpc/server/health.ts";
const LIMIT_TESTS = ["test/unit/rpc/server/service-limits.test.ts"];

/** Protections of a process against what one request or one object costs. */
export const limitMutants: readonly Mutant[] = [
  {
    race: "L1",
    file: "src/domain/canonical-json.ts",
    find: "(?:\\d{16}|\\d{1,15}(?:\\.\\d|[eE]))/;",
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
    file: "src/domain/validation.ts",
    find: "regexMatch, failFast: true",
    replace: "regexMatch",
    tests: VALIDATION_TESTS,
    only: "first violation only",
  },
  {
    race: "L2",
    file: "src/domain/validation.ts",
    find: " && remainingWeight(message, MAX_WEIGHT) > 0",
    replace: "",
    tests: VALIDATION_TESTS,
    only: "first violation only",
  },
  {
    race: "L2",
    file: "src/domain/validation.ts",
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
    only: "is bounded",
  },
  {
    race: "L2",
    file: "src/rpc/server/error-mapping.ts",
    find: "violations.slice(0, MAX_VIOLATIONS)",
    replace: "violations",
    tests: ERROR_TESTS,
    only: "is bounded",
  },
  {
    race: "L2",
    file: "src/rpc/server/error-mapping.ts",
    find: "bytes > MAX_VIOLATIONS_BYTES",
    replace: "bytes < 0",
    tests: ERROR_TESTS,
    only: "is bounded",
  },
  {
    race: "L3",
    file: LIMITS,
    find: "readMaxBytes: 64 * 1024,",
    replace: "readMaxBytes: 8 * 1024 * 1024,",
    tests: LIMIT_TESTS,
  },
  {
    race: "L3",
    file: LIMITS,
    find: "readMaxBytes: 1024, ",
    replace: "",
    tests: LIMIT_TESTS,
    only: "Check",
  },
  {
    race: "L3",
    file: LIMITS,
    find: "readMaxBytes: 1024, acceptCompression: []",
    replace: "readMaxBytes: 1024",
    tests: LIMIT_TESTS,
    only: "Check",
  },
  {
    race: "L3",
    file: LIMITS,
    find: "MAX_SYNC_REQUEST_BYTES, acceptCompression: []",
    replace: "MAX_SYNC_REQUEST_BYTES",
    tests: LIMIT_TESTS,
    only: "SyncService",
  },
  {
    race: "L3",
    file: LIMITS,
    find: "readMaxBytes: MAX_SYNC_REQUEST_BYTES, ",
    replace: "readMaxBytes: 64 * 1024 * 1024, ",
    tests: LIMIT_TESTS,
    only: "SyncService",
  },
  {
    race: "L3",
    file: "src/rpc/server/serve.ts",
    find: "    binaryOptions: { readUnknownFields: false },\n",
    replace: "",
    tests: LIMIT_TESTS,
    only: "unknown field",
  },
  {
    race: "L3",
    file: HEALTH,
    find: "watches.size === MAX_WATCHES",
    replace: "watches.size < 0",
    tests: LIMIT_TESTS,
    only: "Watch streams",
  },
  {
    race: "L3",
    file: HEALTH,
    find: '    signal.addEventListener("abort", () => watches.delete(signal));\n',
    replace: "",
    tests: LIMIT_TESTS,
    only: "Watch streams",
  },
  {
    race: "L3",
    file: HEALTH,
    find: "truncate(service, MAX_NAME_BYTES)",
    replace: "service",
    tests: LIMIT_TESTS,
    only: "of a service",
  },
  {
    race: "L3",
    file: "src/rpc/server/reflection.ts",
    find: "truncate(message, MAX_ERROR_BYTES)",
    replace: "message",
    tests: LIMIT_TESTS,
    only: "fileByFilename",
  },
];
