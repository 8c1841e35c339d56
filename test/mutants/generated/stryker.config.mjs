/** Configuration of StrykerJS, for run.ts. */
export default {
  testRunner: "vitest",
  // StrykerJS reads it with an API that the native compiler lacks, and needs it for project references only.
  tsconfigFile: "none.json",
  // Not the related tests, which StrykerJS would look up for each mutant: it knows those that reach the mutant.
  vitest: { configFile: "test/mutants/generated/vitest.config.ts", related: false },
  coverageAnalysis: "perTest",
  reporters: ["progress-append-only", "clear-text", "json"],
  clearTextReporter: { allowColor: false, reportTests: false, logTests: false },
  jsonReporter: { fileName: "dist/mutation.json" },
  tempDirName: "dist/stryker",
  // A constant of a module would need every test, in a new process each.
  ignoreStatic: true,
  // Texts are messages for people, names that the compiler checks, or SQL, which is not mutated: see docs/verification.md.
  mutator: { excludedMutations: ["StringLiteral"] },
  concurrency: 2,
  // Beyond the usual duration of the tests. The time of nearly all tests is virtual, so a mutant that takes longer loops.
  timeoutMS: 4_000,
};
