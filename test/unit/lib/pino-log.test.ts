import { describe, expect, test } from "vitest";
import type { LogFormat, LogLevel } from "../../../src/lib/log.ts";
import { createPinoLog } from "../../../src/lib/pino-log.ts";

function write(format: LogFormat, level: LogLevel = "info") {
  const lines: string[] = [];
  const log = createPinoLog({ format, level, destination: { write: (line) => void lines.push(line) } });
  return { log, lines };
}

const cause = Object.assign(new Error("connect ECONNREFUSED 127.0.0.1:1"), { code: "ECONNREFUSED" });
const error = new Error("list failed", { cause });

describe("a line of text", () => {
  const line = (...args: Parameters<ReturnType<typeof write>["log"]["warn"]>) => {
    const { log, lines } = write("text");
    log.with({ cluster: "prod" }).warn(...args);
    expect(lines).toHaveLength(1);
    return lines[0]?.replace(/^\d\d:\d\d:\d\d /, "");
  };

  test("has time, level, message, reason and fields", () => {
    expect(line("list failed", { resourceType: "nodes", error: "403 Forbidden", count: 3 })).toBe(
      "WARN  list failed: 403 Forbidden  cluster=prod resourceType=nodes count=3\n",
    );
  });

  test("has an error with its causes, and no stack", () => {
    expect(line("run failed", { error })).toBe(
      "WARN  run failed: list failed: connect ECONNREFUSED 127.0.0.1:1  cluster=prod\n",
    );
  });

  test("has a stack at level debug", () => {
    const { log, lines } = write("text", "debug");
    log.error("run failed", { error });
    expect(lines[0]).toMatch(/^\S+ ERROR run failed: list failed: connect .*\n.*Error: list failed\n +at /);
  });

  test("quotes values with blanks, and escapes what steers a terminal (L24)", () => {
    expect(line("x", { name: "a b", list: ["c"], evil: "\u001b[2J", error: "a\nb" })).toBe(
      'WARN  x: a\\u000ab  cluster=prod name="a b" list="[\\"c\\"]" evil="\\u001b[2J"\n',
    );
  });
});

describe("a line of JSON", () => {
  test("has type, code and message of an error, and a stack at level debug only", () => {
    const quiet = write("json");
    quiet.log.warn("failed", { error, reason: cause });
    expect(JSON.parse(quiet.lines[0] ?? "")).toMatchObject({
      level: "warn",
      message: "failed",
      error: { type: "Error", message: "list failed: connect ECONNREFUSED 127.0.0.1:1" },
    });
    quiet.log.warn("failed", { error: cause });
    expect(JSON.parse(quiet.lines[1] ?? "").error).toEqual({
      type: "Error",
      message: "connect ECONNREFUSED 127.0.0.1:1",
      code: "ECONNREFUSED",
    });
    expect(quiet.lines.join("")).not.toContain("stack");
    const verbose = write("json", "debug");
    verbose.log.warn("failed", { error });
    expect(JSON.parse(verbose.lines[0] ?? "").error.stack).toContain("pino-log.test.ts");
  });
});
