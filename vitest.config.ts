import { defineConfig } from "vitest/config";
import { createSkipReporter } from "./test/support/vitest/skip-reporter.ts";

// Forks, because native addons crash in threads.
const shared = { pool: "forks", testTimeout: 20_000, hookTimeout: 60_000 } as const;

export default defineConfig({
  test: {
    // Once for both projects: a project that inherits it would start servers of its own.
    globalSetup: "test/support/vitest/global-setup.ts",
    reporters: ["default", createSkipReporter()],
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
