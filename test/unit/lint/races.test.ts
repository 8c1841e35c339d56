import { globSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";

const CITED = ["src/**/*.ts", "test/**/*.ts", "bench/**/*.ts", "docs/**/*.md", "*.md"];

describe("docs/races.md", () => {
  it("has one entry for each cited race, invariant and limit", () => {
    const cited = new Map<string, string>();
    for (const path of CITED.flatMap((pattern) => globSync(pattern, { exclude: ["**/node_modules"] })).filter(
      isReader,
    )) {
      for (const [number] of readFileSync(path, "utf8").matchAll(/(?<![#\w-])[RIL]\d{1,2}\b/g)) {
        cited.set(number, path);
      }
    }
    const entries = [...readFileSync("docs/races.md", "utf8").matchAll(/^\| ([RIL]\d{1,2}) \|/gm)];
    const explained = entries.map(([, number = ""]) => number);
    expect(cited.size).toBeGreaterThan(30);
    expect([...cited].filter(([number]) => !explained.includes(number))).toEqual([]);
    expect(explained.filter((number, at) => explained.indexOf(number) !== at)).toEqual([]);
  });
});

/** This file cites nothing. */
function isReader(path: string): boolean {
  return path !== "test/unit/lint/races.test.ts";
}
