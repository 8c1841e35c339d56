import { globSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";

/** A wait for a condition ends with it, so a longer limit costs nothing, and a shorter one fails on a busy machine. */
const MIN_WAIT_MS = 20_000;
const WAIT = /\b(?:timeout|timeoutMs): ([\d_]+)|^ *\}, ([\d_]+)\);/gm;

describe("limits of waits in tests", () => {
  it("are 20 s or more", () => {
    const exclude = ["test/unit/lint/waits.test.ts", "**/node_modules"];
    const paths = globSync("test/**/*.ts", { exclude });
    expect(paths.flatMap((path) => findShortWaits(path, readFileSync(path, "utf8")))).toEqual([]);
  });

  it("are reported when they are shorter", () => {
    const text = [
      "await eventually('x', look, { timeoutMs: 19_999 });",
      "it('x', { timeout: 5_000 }, () => {",
      "beforeAll(async () => {",
      "}, 10_000);",
      "it('x', { timeout: 20_000 }, () => {",
    ].join("\n");
    expect(findShortWaits("a.test.ts", text)).toEqual([
      "a.test.ts: 19_999",
      "a.test.ts: 5_000",
      "a.test.ts: 10_000",
    ]);
  });
});

function findShortWaits(path: string, text: string): string[] {
  return [...text.matchAll(WAIT)]
    .map(([, option, argument]) => option ?? argument ?? "")
    .filter((ms) => Number(ms.replaceAll("_", "")) < MIN_WAIT_MS)
    .map((ms) => `${path}: ${ms}`);
}
