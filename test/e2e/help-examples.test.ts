import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runForTest } from "../support/cli/run-for-test.ts";
import { devCluster, startDev } from "../support/e2e/dev.ts";
import { eventually } from "../support/e2e/eventually.ts";
import { listSucceededRuns } from "../support/e2e/fleet-api.ts";
import { createPrograms, type Programs } from "../support/e2e/programs.ts";

/** Examples that cannot run here, with the reason. */
const NOT_RUN: readonly (readonly [example: RegExp, reason: string])[] = [
  [/^evenkeel (dlq|admin topics) /, "needs a broker"],
  [/^evenkeel admin cluster /, "changes clusters of a database"],
  [/^evenkeel deletions (show|approve|reject) /, "needs a deletion set"],
  [/^evenkeel token /, "reads or writes a key file"],
  [/^evenkeel migrate /, "needs a database"],
  [/^evenkeel \S+ --config /, "needs a configuration file"],
];

const reasonOf = (example: string): string | undefined =>
  NOT_RUN.find(([pattern]) => pattern.test(example))?.[1];

async function readHelp(command: readonly string[]): Promise<string> {
  const { out, code } = await runForTest([...command, "--help"]);
  expect(code, command.join(" ")).toBe(0);
  return out;
}

/** Returns the command lines in the help of a command and of its subcommands. */
async function findExamples(command: readonly string[] = []): Promise<string[]> {
  const help = await readHelp(command);
  const [, list = ""] = help.split("\nCommands:\n");
  const [subcommands = ""] = list.split("\n\n");
  const names = [...subcommands.matchAll(/^ {2}([a-z]+)/gm)].map(([, name = ""]) => name);
  const examples = [...help.replaceAll("\\\n", " ").matchAll(/^ {2}\$ (.*)$/gm)].map(([, line = ""]) => line);
  const nested = names.filter((name) => name !== "help").map((name) => findExamples([...command, name]));
  return [...examples, ...(await Promise.all(nested)).flat()];
}

const examples = [...new Set(await findExamples())];

describe("the examples of --help", () => {
  let programs: Programs;
  let environment: Readonly<Record<string, string>>;
  let runId: string;
  beforeAll(async () => {
    programs = createPrograms();
    const { apiUrl } = await startDev(programs, "--no-drift");
    runId = await eventually("the first run", async () => {
      const [run] = await listSucceededRuns(apiUrl, devCluster);
      expect(run).toBeDefined();
      return run?.id ?? "";
    });
    // The programs validate their flags only; none of them starts.
    environment = { EVENKEEL_SERVER: apiUrl, EVENKEEL_DATABASE_URL: "postgres://localhost/evenkeel" };
  });
  afterAll(async () => {
    await programs[Symbol.asyncDispose]();
  });

  it.each(examples.filter((example) => reasonOf(example) === undefined))("%s", async (example) => {
    const [name, ...args] = example.split(/\s+/);
    expect(name).toBe("evenkeel");
    const words = args.map((word) => (/^[0-9a-f]{8}-[0-9a-f-]{27}$/.test(word) ? runId : word));
    const { code, err } = await runForTest(words, { environment });
    expect({ code, problem: /^evenkeel: .*/m.exec(err)?.[0] }).toEqual({ code: 0, problem: undefined });
  });

  it("are skipped only for reasons that apply to at least one of them", () => {
    expect(examples.length).toBeGreaterThan(30);
    for (const [pattern, reason] of NOT_RUN) {
      expect(
        examples.some((example) => pattern.test(example)),
        reason,
      ).toBe(true);
    }
  });
});

it("summaries of commands have at most 60 characters", async () => {
  const commands = ["", "token", "admin", "admin cluster", "deletions", "dlq"];
  for (const command of commands) {
    const help = await readHelp(command.split(" ").filter(Boolean));
    const [, list = ""] = help.split("\nCommands:\n");
    for (const [, summary = ""] of list.split("\n\n")[0]?.matchAll(/^ {2}\S.*? {2,}(.*)$/gm) ?? []) {
      expect(summary.length, summary).toBeLessThanOrEqual(60);
      expect(summary, summary).not.toMatch(/\.$/);
    }
  }
});
