import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

interface Planted {
  readonly name: string;
  readonly path: string;
  readonly text: string;
  /** Rule, or words of its message, that must be reported for the file. */
  readonly expected: string;
}

const PORTS = "does not run in a simulation";

const planted: readonly Planted[] = [
  importing("timers/promises outside adapters", "src/agent", "node:timers/promises"),
  importing("fs/promises outside adapters", "src/agent", "node:fs/promises"),
  importing("node:process outside adapters", "src/agent", "node:process"),
  importing("asynchronous zlib outside adapters", "src/agent", "node:zlib", "gzip"),
  importing("asynchronous crypto outside adapters", "src/agent", "node:crypto", "pbkdf2"),
  calling("Date.now()", PORTS),
  calling("new Date()", PORTS),
  calling("performance.now()", PORTS),
  calling("Math.random()", PORTS),
  calling("crypto.randomUUID()", PORTS),
  calling("AbortSignal.timeout(5)", PORTS),
  calling("setTimeout(String, 5)", "noRestrictedGlobals"),
  calling("setInterval(String, 5)", "noRestrictedGlobals"),
  calling("process.env", "noRestrictedGlobals"),
  {
    name: "a promise that floats",
    path: "src/agent/floating.ts",
    text: "export async function f(): Promise<void> {}\nf();\n",
    expected: "noFloatingPromises",
  },
  { name: "any", path: "src/agent/any.ts", text: "export const y: any = 1;\n", expected: "noExplicitAny" },
  {
    name: "a default export",
    path: "src/agent/default.ts",
    text: "export default 1;\n",
    expected: "noDefaultExport",
  },
  {
    name: "a non-null assertion",
    path: "src/agent/non-null.ts",
    text: "export const f = (x?: string) => x!.length;\n",
    expected: "noNonNullAssertion",
  },
  {
    name: "a cycle, though of types only",
    path: "src/domain/cycle-a.ts",
    text: 'import type { B } from "./cycle-b.ts";\nexport interface A {\n  b: B;\n}\n',
    expected: "noImportCycles",
  },
];

describe("each rule of the house bites", () => {
  let folder = "";
  const reports = new Map<string, string>();

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "evenkeel-planted-"));
    cpSync("biome.json", join(folder, "biome.json"));
    cpSync("scripts/lint", join(folder, "scripts/lint"), { recursive: true });
    plant(".gitignore", "node_modules\n");
    plant(
      "src/domain/cycle-b.ts",
      'import type { A } from "./cycle-a.ts";\nexport interface B {\n  a: A;\n}\n',
    );
    plant("src/lib/clock.ts", "export const y = Date.now();\n");
    for (const { path, text } of planted) {
      plant(path, text);
    }
    const biome = join(process.cwd(), "node_modules/.bin/biome");
    const { stdout } = spawnSync(biome, ["lint", "--reporter=json", "--max-diagnostics=none"], {
      cwd: folder,
      encoding: "utf8",
    });
    for (const diagnostic of JSON.parse(stdout).diagnostics) {
      const path: string = diagnostic.location.path.file ?? diagnostic.location.path;
      reports.set(path, `${reports.get(path) ?? ""} ${JSON.stringify(diagnostic)}`);
    }
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  function plant(path: string, text: string): void {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }

  it.each(planted)("$name", ({ path, expected }) => {
    expect(reports.get(path) ?? "nothing").toContain(expected);
  });

  it("but not in an adapter, where the machine's time belongs", () => {
    expect(reports.get("src/lib/clock.ts")).toBeUndefined();
  });
});

function importing(name: string, folder: string, from: string, what = "x"): Planted {
  const text = `import { ${what} } from "${from}";\n\nexport const y = ${what};\n`;
  return { name, path: `${folder}/${name.replaceAll(/\W/g, "-")}.ts`, text, expected: "noRestrictedImports" };
}

function calling(expression: string, expected: string): Planted {
  const path = `src/agent/${expression.replaceAll(/\W/g, "-")}.ts`;
  return {
    name: `${expression} outside adapters`,
    path,
    text: `export const y = ${expression};\n`,
    expected,
  };
}
