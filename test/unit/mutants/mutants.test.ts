import { existsSync, globSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { mutants } from "../../mutants/mutants.ts";

const root = resolve(import.meta.dirname, "../../..");

describe("the planted mutants", () => {
  it.each(mutants.map((mutant) => [mutant.race, mutant.file, mutant] as const))(
    "%s can still be planted in %s",
    (_, __, { file, find, replace, tests, only = "" }) => {
      expect(readFileSync(join(root, file), "utf8").split(find)).toHaveLength(2);
      expect(replace).not.toBe(find);
      expect(tests.filter((test) => !existsSync(join(root, test)))).toEqual([]);
      // A pattern that selects no test lets every mutant survive.
      expect(tests.some((test) => new RegExp(only, "s").test(readTitles(test)))).toBe(true);
    },
  );
});

/** Returns the text of a test file; that of the contracts, too, if it imports one. */
function readTitles(path: string): string {
  const text = readFileSync(join(root, path), "utf8");
  const contracts = text.includes("contract/") ? globSync(join(root, "test/contract/**/*.ts")) : [];
  return [text, ...contracts.map((contract) => readFileSync(contract, "utf8"))].join("\n");
}
