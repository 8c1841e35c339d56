import { globSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";

const EXPORT = /^export (?:async )?(?:abstract )?(?:class|function\*?|const|interface|type) (\w+)/gm;

/** Adapters of one port with the same files: each pair of files may export the same names. */
const PARALLEL_ADAPTER = /^(src\/bus\/pulsar)\/(?:websocket|native)\//;

interface SourceFile {
  readonly path: string;
  readonly text: string;
}

/** Finds names that several files export, as "Name: path, path". */
function findDuplicateExports(files: readonly SourceFile[]): string[] {
  const owners = new Map<string, string[]>();
  for (const { path, text } of files) {
    for (const name of new Set([...text.matchAll(EXPORT)].map(([, name = ""]) => name))) {
      owners.set(name, [...(owners.get(name) ?? []), path]);
    }
  }
  return [...owners]
    .filter(([, paths]) => new Set(paths.map((path) => path.replace(PARALLEL_ADAPTER, "$1/"))).size > 1)
    .map(([name, paths]) => `${name}: ${paths.join(", ")}`);
}

describe("an exported name", () => {
  it("is in one file of src", () => {
    const files = globSync("src/**/*.ts").map((path) => ({ path, text: readFileSync(path, "utf8") }));
    expect(files.length).toBeGreaterThan(200);
    expect(findDuplicateExports(files)).toEqual([]);
  });

  it.each([
    "class Thing {}",
    "abstract class Thing {}",
    "function Thing() {}",
    "async function Thing() {}",
    "async function* Thing() {}",
    "const Thing = 1;",
    "interface Thing {}",
    "type Thing = string;",
  ])("is refused in a second file: %s", (declaration) => {
    const planted = [
      { path: "src/a/thing.ts", text: "export interface Thing {}\n" },
      { path: "src/b/thing.ts", text: `import { x } from "x";\nexport ${declaration}\n` },
    ];
    expect(findDuplicateExports(planted)).toEqual(["Thing: src/a/thing.ts, src/b/thing.ts"]);
  });

  it("may be in the files of one name of two parallel adapters, and in no others", () => {
    const text = "export interface Thing {}\n";
    const at = (...paths: string[]) => findDuplicateExports(paths.map((path) => ({ path, text })));
    expect(at("src/bus/pulsar/native/a.ts", "src/bus/pulsar/websocket/a.ts")).toEqual([]);
    expect(at("src/bus/pulsar/native/a.ts", "src/bus/pulsar/websocket/b.ts")).toHaveLength(1);
    expect(at("src/bus/pulsar/native/a.ts", "src/bus/memory/a.ts")).toHaveLength(1);
  });
});
