import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { text } from "node:stream/consumers";
import { beforeAll, describe, expect, it } from "vitest";

const root = resolve(import.meta.dirname, "../../../..");

/** The project's settings, and a reporter that prints the outcome of each test as JSON. */
const PLANTED_CONFIG = `
import { shared } from "${root}/vitest.config.ts";

const outputs = new Map();
const reporter = {
  onUserConsoleLog({ taskId, content }) {
    outputs.set(taskId, (outputs.get(taskId) ?? "") + content);
  },
  onTestRunEnd([module]) {
    const report = ({ id, name }, errors) => ({
      name,
      output: outputs.get(id) ?? "",
      diff: errors.map(({ diff }) => diff ?? "").join(),
    });
    const tests = [...module.children.allTests()].map((test) => report(test, test.result().errors ?? []));
    console.log(JSON.stringify([...tests, report({ id: module.id, name: "file" }, [])]));
  },
};
export default { test: { ...shared, include: ["*.test.ts"], reporters: [reporter] } };
`;

const PLANTED_TESTS = `
import { beforeAll, describe, expect, it } from "vitest";
import { createTestLog } from "${root}/test/support/vitest/test-log.ts";
import { createPrograms } from "${root}/test/support/e2e/programs.ts";

const log = createTestLog("outer");

it("passes", () => {
  log.warn("line of a passed test");
});

it("fails", () => {
  log.with({ cluster: "c1" }).warn("first line", { error: new Error("refused"), count: 7n });
  createTestLog("inner").debug("second line");
  expect(1).toBe(2);
});

it("fails after many lines", () => {
  for (let i = 0; i < 10_050; i += 1) {
    log.info("line " + i + " " + "x".repeat(10_000));
  }
  expect(1).toBe(2);
});

it("fails with a late difference", () => {
  const rows = Array.from({ length: 1_000 }, (_, i) => "row " + i);
  expect(rows).toEqual(rows.with(987, "another row"));
});

it("fails with a large difference", () => {
  expect(Array.from({ length: 1_000 }, (_, i) => "found " + i)).toEqual(
    Array.from({ length: 1_000 }, (_, i) => "expected " + i),
  );
});

it("fails with a long line", () => {
  expect(["x".repeat(100_000)]).toEqual(["y".repeat(100_000)]);
});

it("fails with a program", async () => {
  await using programs = createPrograms();
  const { code } = await programs.run("no-such-command");
  expect(code).toBe(0);
});

describe("a suite", () => {
  beforeAll(() => {
    createTestLog("hook").error("line of a hook");
    throw new Error("hook failed");
  });

  it("does not run", () => {});
});
`;

/** Outcome of a planted test. */
interface Outcome {
  readonly name: string;
  /** Printed text. */
  readonly output: string;
  readonly diff: string;
}

/** Runs the planted tests with the settings of this project. */
async function runPlanted(): Promise<readonly Outcome[]> {
  const folder = mkdtempSync(join(tmpdir(), "evenkeel-planted-"));
  try {
    writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
    writeFileSync(join(folder, "vitest.config.ts"), PLANTED_CONFIG);
    writeFileSync(join(folder, "planted.test.ts"), PLANTED_TESTS);
    symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
    const child = spawn(process.execPath, [join(root, "node_modules/vitest/vitest.mjs"), "run"], {
      cwd: folder,
      stdio: ["ignore", "pipe", "inherit"],
      env: { ...process.env, NO_COLOR: "1" },
    });
    const stdout = await text(child.stdout);
    return JSON.parse(stdout.split("\n").find((line) => line.startsWith("[")) ?? stdout);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

describe("a failed test", () => {
  let outcomes: readonly Outcome[] = [];
  const outcomeOf = (name: string): Outcome =>
    outcomes.find((outcome) => outcome.name === name) ?? expect.fail(`no outcome of "${name}"`);

  beforeAll(async () => {
    outcomes = await runPlanted();
  });

  it("prints the lines of its own logs, with every field", () => {
    expect(outcomeOf("fails").output.split("\n")).toEqual([
      "logs of the failed test:",
      "outer: warn first line: Error: refused { cluster: 'c1', count: 7n }",
      "inner: debug second line",
      "",
    ]);
  });

  it("prints nothing of a test that passed", () => {
    expect(outcomeOf("passes").output).toBe("");
  });

  it("prints the newest 200 lines, each shortened, and the number of those before", () => {
    const { output } = outcomeOf("fails after many lines");
    const lines = output.trimEnd().split("\n");
    expect(lines).toHaveLength(202);
    expect(lines[1]).toBe("... 9850 earlier lines");
    expect(lines.at(-1)).toMatch(/^outer: info line 10049 x+\.\.\. \d+ more characters$/);
    expect(output.length).toBeLessThan(100_000);
  });

  it("prints the output of the programs that it ran", () => {
    expect(outcomeOf("fails with a program").output).toMatch(/^no-such-command \d+: .*no-such-command/m);
  });

  it("prints the lines of a hook that failed", () => {
    expect(outcomeOf("file").output).toContain("\nhook: error line of a hook\n");
  });

  it("shows a difference of one row among thousands with the rows beside it", () => {
    const { diff } = outcomeOf("fails with a late difference");
    expect(diff).toContain("another row");
    expect(diff.split("\n").length).toBeLessThan(20);
  });

  it("shows the first 80 lines of a large difference, each shortened", () => {
    const { diff } = outcomeOf("fails with a large difference");
    expect(diff.split("\n")).toHaveLength(81);
    expect(diff).toMatch(/\n\.\.\. \d+ more lines$/);
    expect(outcomeOf("fails with a long line").diff.length).toBeLessThan(2_000);
  });
});
