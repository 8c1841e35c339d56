import { defineConfig } from "vitest/config";

/** The tests of the mutated part: see run.ts. */
export default defineConfig({
  test: {
    include: process.env["EVENKEEL_MUTANT_TESTS"]?.split(",") ?? [],
    exclude: ["**/*.{pg,pulsar,kube}.test.ts"],
    // These measure memory, which the instrumentation changes.
    testNamePattern: /^(?!.*100,000)/,
    testTimeout: 60_000,
    hookTimeout: 180_000,
  },
});
