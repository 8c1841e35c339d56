import { defineConfig } from "vitest/config";
import { createSkipReporter } from "./test/support/skip-reporter.ts";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    globalSetup: "test/support/global-setup.ts",
    // Native addons crash in threads.
    pool: "forks",
    reporters: ["default", createSkipReporter()],
    testTimeout: 20_000,
    hookTimeout: 60_000,
    teardownTimeout: 30_000,
  },
});
