import { defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";

/** Runs small files first: the first failure kills the mutant, and the tests of a whole agent take longest. */
class SmallFilesFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    return (await super.sort(files)).toReversed();
  }
}

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
    sequence: { sequencer: SmallFilesFirst },
    // A mutant that never settles a promise ends with it. Long enough for a busy machine.
    testTimeout: 10_000,
    hookTimeout: 180_000,
  },
});
