import type { Program } from "../e2e/programs.ts";

const UNEXPECTED: ReadonlySet<unknown> = new Set(["error", "fatal"]);

/**
 * Returns the lines of standard error that report an error, or that are no lines of the log, such as stack traces. Those
 * that match `expected` are left out.
 */
export function findErrorLines(programs: readonly Program[], expected: readonly RegExp[]): readonly string[] {
  return programs
    .flatMap((program) => program.stderr().split("\n"))
    .filter((line) => line !== "" && isUnexpected(line) && !expected.some((pattern) => pattern.test(line)));
}

function isUnexpected(line: string): boolean {
  try {
    return UNEXPECTED.has(JSON.parse(line).level);
  } catch {
    return true;
  }
}
