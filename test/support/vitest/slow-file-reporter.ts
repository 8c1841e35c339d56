import type { Reporter, TestModule } from "vitest/node";
import { SLOW_FILES, type SlowFiles } from "./slow-files.ts";

/** Variable with the value "fail" in a run that fails on a slow file without a reason. */
const variable = "EVENKEEL_SLOW_FILES";

const SHOWN = 10;
const MAX_SECONDS = 20;

/** The slowest test files of a run as text, and whether they fail it. */
export interface SlowFileReport {
  readonly text: string;
  readonly isFailure: boolean;
}

/**
 * Names the slowest test files, and those that take longer than {@link MAX_SECONDS} without an entry in
 * {@link SLOW_FILES}. They fail the run only with `EVENKEEL_SLOW_FILES=fail`, because machines differ.
 */
export function createSlowFileReporter(): Reporter {
  return {
    onTestRunEnd(modules) {
      const { text, isFailure } = reportSlowFiles(modules, SLOW_FILES, process.env[variable] === "fail");
      process.stderr.write(text);
      if (isFailure) {
        process.exitCode = 1;
      }
    },
  };
}

/** Describes the slowest of `modules`; `known` are those that may be slow. */
export function reportSlowFiles(
  modules: readonly TestModule[],
  known: readonly SlowFiles[],
  isLimit: boolean,
): SlowFileReport {
  const timed = modules
    .map((module) => ({ path: module.relativeModuleId, seconds: toSeconds(module) }))
    .toSorted((a, b) => b.seconds - a.seconds);
  const unexpected = timed.filter(
    ({ path, seconds }) => seconds > MAX_SECONDS && !known.some(({ files }) => files.test(path)),
  );
  const verdict = isLimit
    ? `which fails the run, since ${variable} is "fail"`
    : `with ${variable}=fail that would be a failure`;
  const text = [
    ...toLines(timed.slice(0, SHOWN), "slowest test files:"),
    ...toLines(
      unexpected,
      `test files over ${MAX_SECONDS} s without a reason in test/support/vitest/slow-files.ts, ${verdict}:`,
    ),
  ].join("\n");
  return { text: text === "" ? "" : `${text}\n`, isFailure: isLimit && unexpected.length > 0 };
}

interface TimedFile {
  readonly path: string;
  readonly seconds: number;
}

function toLines(files: readonly TimedFile[], title: string): readonly string[] {
  const lines = files.map(({ path, seconds }) => `  ${seconds.toFixed(1).padStart(6)} s  ${path}`);
  return lines.length === 0 ? [] : [`\n${title}`, ...lines];
}

/** Returns the time of the file's imports, hooks and tests. */
function toSeconds(module: TestModule): number {
  const { collectDuration, duration } = module.diagnostic();
  return (collectDuration + duration) / 1000;
}
