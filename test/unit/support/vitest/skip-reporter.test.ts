import { describe, expect, it } from "vitest";
import type { TestCase, TestModule } from "vitest/node";
import { OPTIONAL_PARTS } from "../../../support/vitest/optional-parts.ts";
import { reportSkips } from "../../../support/vitest/skip-reporter.ts";

/** A module with skipped tests of these names. */
function skippedTests(...fullNames: string[]): TestModule[] {
  const module = { relativeModuleId: "test/a.test.ts" } as TestModule;
  const tests = fullNames.map((fullName) => ({ fullName, module }) as TestCase);
  return [{ children: { allTests: () => tests } } as unknown as TestModule];
}

const OPTIONAL = `pulsar-native (not run: ${OPTIONAL_PARTS.pulsarClient}) > carries a message`;
const SKIPPED = "a store (skipped: no Postgres) > stores";

describe("the end of a test run", () => {
  it("has nothing to report when no test was skipped", () => {
    expect(reportSkips(skippedTests(), true)).toEqual({ text: "", isFailure: false });
  });

  it("names the tests of an optional part as not run, which is no failure in CI", () => {
    const { text, isFailure } = reportSkips(skippedTests(OPTIONAL), true);
    expect(text).toMatch(
      /^\n1 tests not run, .*:\n {2}1 of test\/a\.test\.ts: pulsar-native \(not run: .*\)\n$/,
    );
    expect(isFailure).toBe(false);
  });

  it("fails in CI when any other test was skipped", () => {
    const { text, isFailure } = reportSkips(skippedTests(OPTIONAL, SKIPPED, "a test > with skip"), true);
    expect(text).toContain("\n2 tests skipped, which fails the run");
    expect(text).toContain("1 of test/a.test.ts: a store (skipped: no Postgres)\n");
    expect(isFailure).toBe(true);
  });

  it("does not fail without CI", () => {
    expect(reportSkips(skippedTests(SKIPPED), false).isFailure).toBe(false);
  });
});
