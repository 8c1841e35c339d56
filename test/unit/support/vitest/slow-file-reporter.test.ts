import { globSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { TestModule } from "vitest/node";
import { reportSlowFiles } from "../../../support/vitest/slow-file-reporter.ts";
import { SLOW_FILES } from "../../../support/vitest/slow-files.ts";

/** A module whose imports and tests take this long together. */
function file(relativeModuleId: string, seconds: number): TestModule {
  const diagnostic = () => ({ collectDuration: 1_000, duration: seconds * 1_000 - 1_000 });
  return { relativeModuleId, diagnostic } as TestModule;
}

const KNOWN = [{ files: /^test\/e2e\//, reason: "whole programs start" }];

describe("the report of slow test files", () => {
  it("lists the ten slowest files, the slowest first, with imports and tests counted", () => {
    const files = Array.from({ length: 12 }, (_, index) => file(`test/${index}.test.ts`, index + 1));
    const { text, isFailure } = reportSlowFiles(files, KNOWN, true);
    const lines = text.trimEnd().split("\n");
    expect(lines.slice(0, 3)).toEqual([
      "",
      "slowest test files:",
      expect.stringMatching(/^ +12\.0 s {2}test\/11\.test\.ts$/),
    ]);
    expect(lines).toHaveLength(12);
    expect(lines.at(-1)).toMatch(/^ +3\.0 s {2}test\/2\.test\.ts$/);
    expect(isFailure).toBe(false);
  });

  it("names a file over 20 s without a reason, which fails the run only where that is asked for", () => {
    const files = [file("test/e2e/a.test.ts", 60), file("test/b.test.ts", 20.1), file("test/c.test.ts", 20)];
    const { text, isFailure } = reportSlowFiles(files, KNOWN, false);
    const [, unexpected] = text.split("test files over 20 s");
    expect(unexpected).toContain("test/b.test.ts");
    expect(unexpected).not.toContain("test/e2e/a.test.ts");
    expect(unexpected).not.toContain("test/c.test.ts");
    expect(isFailure).toBe(false);
    expect(reportSlowFiles(files, KNOWN, true).isFailure).toBe(true);
  });

  it("has nothing to report of a run without files", () => {
    expect(reportSlowFiles([], KNOWN, true)).toEqual({ text: "", isFailure: false });
  });

  it.each(SLOW_FILES.map(({ files, reason }) => [files, reason] as const))(
    "has an entry %s that matches a test file",
    (files, reason) => {
      expect(globSync("test/**/*.test.ts").some((path) => files.test(path))).toBe(true);
      expect(reason).not.toBe("");
    },
  );
});
