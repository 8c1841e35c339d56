import type { Reporter, TestCase } from "vitest/node";

/**
 * Names the tests that were skipped, so that a machine without Postgres or Go does not pass for one that tested
 * everything. With `CI` set a skipped test fails the run, whatever skipped it.
 */
export function createSkipReporter(): Reporter {
  return {
    onTestRunEnd(modules) {
      const skipped = modules.flatMap((module) => [...module.children.allTests("skipped")]);
      if (skipped.length === 0) {
        return;
      }
      const isFailure = Boolean(process.env["CI"]);
      const verdict = isFailure
        ? "which fails the run, since CI is set"
        : "with CI set that would be a failure";
      const lines = Object.entries(Object.groupBy(skipped, toOrigin)).map(
        ([origin, tests]) => `  ${tests?.length} of ${origin}`,
      );
      process.stderr.write(`\n${skipped.length} tests skipped, ${verdict}:\n${lines.join("\n")}\n`);
      if (isFailure) {
        process.exitCode = 1;
      }
    },
  };
}

/** The file and the outermost suite, whose name says why it is skipped. */
function toOrigin(test: TestCase): string {
  const [suite = ""] = test.fullName.split(" > ");
  return `${test.module.relativeModuleId}: ${suite}`;
}
