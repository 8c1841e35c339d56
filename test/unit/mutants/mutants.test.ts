import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { mutants } from "../../mutants/mutants.ts";

const root = resolve(import.meta.dirname, "../../..");

describe("the planted mutants", () => {
  it.each(mutants.map((mutant) => [mutant.race, mutant.file, mutant] as const))(
    "%s can still be planted in %s",
    (_, __, { file, find, replace, tests }) => {
      expect(readFileSync(join(root, file), "utf8").split(find)).toHaveLength(2);
      expect(replace).not.toBe(find);
      expect(tests.filter((test) => !existsSync(join(root, test)))).toEqual([]);
    },
  );
});
