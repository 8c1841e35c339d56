import type { Reporter, TestCase, TestModule } from "vitest/node";
import { isOptional } from "./optional-parts.ts";

/** The skipped tests of a run as text, and whether they fail the run. */
export interface SkipReport {
  readonly text: string;
  readonly isFailure: boolean;
}

/**
 * Reports the tests that were not run, so that a machine without Postgres or Go does not pass for a complete
 * one. With `CI` set a skipped test fails the run, unless it needs an optional part.
 */
export function createSkipReporter(): Reporter {
  return {
    onTestRunEnd(modules) {
      const { text, isFailure } = reportSkips(modules, Boolean(process.env["CI"]));
      process.stderr.write(text);
      if (isFailure) {
        process.exitCode = 1;
      }
    },
  };
}

/** Describes the tests that were skipped in `modules`. */
export function reportSkips(modules: readonly TestModule[], isCi: boolean): SkipReport {
  const all = modules.flatMap((module) => [...module.children.allTests("skipped")]);
  const optional = all.filter(({ fullName }) => isOptional(fullName));
  const skipped = all.filter(({ fullName }) => !isOptional(fullName));
  const verdict = isCi ? "which fails the run, since CI is set" : "with CI set that would be a failure";
  const text = [
    ...toLines(optional, "tests not run, which need an optional part"),
    ...toLines(skipped, `tests skipped, ${verdict}`),
  ].join("\n");
  return { text: text === "" ? "" : `${text}\n`, isFailure: isCi && skipped.length > 0 };
}

function toLines(tests: readonly TestCase[], what: string): readonly string[] {
  if (tests.length === 0) {
    return [];
  }
  const origins = Object.entries(Object.groupBy(tests, toOrigin));
  return [
    `\n${tests.length} ${what}:`,
    ...origins.map(([origin, ofOrigin]) => `  ${ofOrigin?.length} of ${origin}`),
  ];
}

/** Returns the file and the outermost suite, whose name has the reason. */
function toOrigin(test: TestCase): string {
  const [suite = ""] = test.fullName.split(" > ");
  return `${test.module.relativeModuleId}: ${suite}`;
}
