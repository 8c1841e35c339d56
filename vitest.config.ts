import { fileURLToPath } from "node:url";
import { defineConfig, type TestProjectInlineConfiguration } from "vitest/config";
import { createSkipReporter } from "./test/support/vitest/skip-reporter.ts";
import { createSlowFileReporter } from "./test/support/vitest/slow-file-reporter.ts";

/** Settings of every project. */
export const shared = {
  // Forks, because native addons crash in threads.
  pool: "forks",
  // Long enough for a machine with many times more work than cores: tests wait for conditions, which end first.
  testTimeout: 60_000,
  hookTimeout: 180_000,
  expect: { poll: { timeout: 30_000 } },
  setupFiles: fileURLToPath(import.meta.resolve("./test/support/vitest/show-failures.ts")),
  // Not `truncateThreshold`, which cuts both sides before it compares them: later differences would not be shown.
  diff: { expand: false, contextLines: 2 },
} satisfies TestProjectInlineConfiguration["test"];

export default defineConfig({
  test: {
    // Once for all projects: a project that inherits it would start servers of its own.
    globalSetup: "test/support/vitest/global-setup.ts",
    reporters: ["default", createSlowFileReporter(), createSkipReporter()],
    teardownTimeout: 30_000,
    projects: [
      {
        test: {
          ...shared,
          name: "quick",
          include: ["test/{unit,contract,integration}/**/*.test.ts"],
          maxWorkers: "100%",
          sequence: { groupOrder: 0 },
        },
      },
      {
        // Alone: it uses every core.
        test: {
          ...shared,
          testTimeout: 900_000,
          name: "simulation",
          include: ["test/simulation/**/*.test.ts"],
          maxWorkers: 1,
          sequence: { groupOrder: 1 },
        },
      },
      {
        // After the others and one at a time: each starts whole programs, and some measure how long these take.
        test: {
          ...shared,
          testTimeout: 300_000,
          name: "e2e",
          include: ["test/e2e/**/*.test.ts"],
          maxWorkers: 1,
          sequence: { groupOrder: 2 },
        },
      },
      {
        // Last, and more files at a time than there are cores: the scenarios wait for time limits most of the time.
        test: {
          ...shared,
          testTimeout: 600_000,
          name: "chaos",
          include: ["test/chaos/**/*.test.ts"],
          globalSetup: "test/support/chaos/global-setup.ts",
          maxWorkers: 4,
          sequence: { groupOrder: 3 },
        },
      },
    ],
  },
});
