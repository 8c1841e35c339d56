/** Configuration of StrykerJS, for run.ts. */
export default {
  testRunner: "vitest",
  // StrykerJS reads it with an API that the native compiler lacks, and needs it for project references only.
  tsconfigFile: "none.json",
  vitest: { configFile: "test/mutants/generated/vitest.config.ts" },
  coverageAnalysis: "perTest",
  reporters: ["clear-text", "json"],
  clearTextReporter: { allowColor: false, reportTests: false, logTests: false },
  jsonReporter: { fileName: "dist/mutation.json" },
  tempDirName: "dist/stryker",
  concurrency: 2,
  timeoutMS: 20_000,
};
