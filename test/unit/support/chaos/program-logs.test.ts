import { expect, test } from "vitest";
import { findErrorLines } from "../../../support/chaos/program-logs.ts";
import type { Program } from "../../../support/e2e/programs.ts";

test("errors and stack traces are found, other lines and expected errors are not", () => {
  const lines = [
    '{"level":"info","message":"error is only a word here"}',
    '{"level":"warn","message":"retrying"}',
    '{"level":"error","message":"call failed"}',
    '{"level":"error","message":"stated by the scenario"}',
    "    at main (file.ts:1:1)",
    "",
  ];
  const program = { stderr: () => lines.join("\n") } as Program;
  expect(findErrorLines([program], [/stated by/])).toEqual([lines[2], lines[4]]);
});
