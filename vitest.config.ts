import { fileURLToPath } from "node:url";
import { defineConfig, type TestProjectInlineConfiguration } from "vitest/config";
import { createSkipReporter } from "./test/support/vitest/skip-reporter.ts";
import { createSlowFileReporter } from "./test/support/vitest/slow-file-reporter.ts";

/** Settings of every project. */
export const shared = {
  // Forks, because native addons crash in threads.
  pool: "forks",
  testTimeout: 20_000,
  hookTimeout: 60_000,
  setupFiles: fileURLToPath(import.meta.resolve("./test/support/vitest/show-failures.ts")),
  // Not `truncateThreshold`, which cuts both sides before it compares them: later differences would not be shown.
  diff: { expand: false, contextLines: 2 },
} satisfies TestProjectInlineConfiguration["test"];

export default defineConfig({
  test: {
    // Once for both projects: a project that inherits it would start servers of its own.
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
        // After the others and one at a time: each starts whole programs, and some measure how long these take.
        test: {
          ...shared,
          name: "e2e",
          include: ["test/e2e/**/*.test.ts"],
          maxWorkers: 1,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
