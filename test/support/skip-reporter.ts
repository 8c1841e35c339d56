import type { Reporter, TestModule } from "vitest/node";

/**
 * Names the tests that were skipped, so that a machine without Postgres or Go does not pass for one that tested
 * everything. With `CI` set a skipped test fails the run, whatever skipped it.
 */
export function createSkipReporter(): Reporter {
  return {
    onTestRunEnd(modules) {
      const skipped = modules.flatMap(findSkipped);
      if (skipped.length === 0) {
        return;
      }
      const isFailure = Boolean(process.env["CI"]);
      const verdict = isFailure
        ? "which fails the run, since CI is set"
        : "with CI set that would be a failure";
      process.stderr.write(
        `\n${skipped.length} tests skipped, ${verdict}:\n${[...new Set(skipped)].join("\n")}\n`,
      );
      if (isFailure) {
        process.exitCode = 1;
      }
    },
  };
}

function findSkipped(module: TestModule): string[] {
  return [...module.children.allTests("skipped")].map(
    (test) => `  ${module.relativeModuleId}: ${test.fullName}`,
  );
}
