import { afterAll, beforeEach, type RunnerTestSuite } from "vitest";
import { shortenText } from "./shorten.ts";
import { testRecord } from "./test-record.ts";

/*
 * Runs in each test file's process, before the file: prints what a failed test has recorded, and shortens the
 * differences that it reports.
 */

const MAX_DIFF_LINES = 80;
const MAX_DIFF_LINE_LENGTH = 400;

beforeEach(({ onTestFailed }) => {
  testRecord.clear();
  onTestFailed(({ task }) => {
    for (const error of task.result?.errors ?? []) {
      if (error.diff !== undefined) {
        error.diff = shortenText(error.diff, MAX_DIFF_LINES, MAX_DIFF_LINE_LENGTH);
      }
    }
    print();
  });
});

// Tests do not run after a failed `beforeAll`.
// biome-ignore lint/correctness/noEmptyPattern: vitest reads the names of the fixtures from this pattern.
afterAll(({}, suite) => {
  if (hasFailed(suite)) {
    print();
  }
});

function print(): void {
  const text = testRecord.toText();
  testRecord.clear();
  if (text !== "") {
    console.error(`logs of the failed test:\n${text}`);
  }
}

/** True if a hook of the suite or of one in it failed. */
function hasFailed(suite: Readonly<RunnerTestSuite>): boolean {
  return (
    (suite.result?.errors ?? []).length > 0 ||
    suite.tasks.some((task) => task.type === "suite" && hasFailed(task))
  );
}
