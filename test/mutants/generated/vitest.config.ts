import { defineConfig } from "vitest/config";

/** The tests of the mutated part: see run.ts. */
export default defineConfig({
  test: {
    include: process.env["EVENKEEL_MUTANT_TESTS"]?.split(",") ?? [],
    exclude: ["**/*.{pg,pulsar,kube}.test.ts"],
    // These measure memory, which the instrumentation changes.
    testNamePattern: /^(?!.*100,000)/,
    // Most of the time of a mutant is the import of the modules. These need no new copy for each file: each mutant that
    // is not static is switched on and off in the same copy.
    isolate: false,
    // A mutant that never settles a promise ends with it. Long enough for a busy machine.
    testTimeout: 10_000,
    hookTimeout: 180_000,
  },
});
