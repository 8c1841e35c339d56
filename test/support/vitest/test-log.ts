import { inspect } from "node:util";
import type { Log, LogFields } from "../../../src/lib/log.ts";
import { testRecord } from "./test-record.ts";

/** A log that keeps its lines. A failed test shows them. */
export interface TestLog extends Log {
  /** Lines as "warn message: error", without other fields. */
  readonly lines: readonly string[];
  /** The same lines, with every field. */
  readonly entries: readonly TestLogEntry[];
}

/** One line of a {@link TestLog}. */
export interface TestLogEntry {
  readonly level: "debug" | "info" | "warn" | "error";
  readonly message: string;
  readonly fields: LogFields;
}

/** Creates a log without lines; `source` precedes each line that a failed test shows. */
export function createTestLog(source = "log"): TestLog {
  const entries: TestLogEntry[] = [];
  const withFields = (outer: LogFields): TestLog => {
    const write =
      (level: TestLogEntry["level"]) =>
      (message: string, inner: LogFields = {}) => {
        const entry = { level, message, fields: { ...outer, ...inner } };
        entries.push(entry);
        testRecord.add(`${source}: ${toLine(entry)}${toSuffix(entry)}`);
      };
    return {
      entries,
      get lines() {
        return entries.map(toLine);
      },
      debug: write("debug"),
      info: write("info"),
      warn: write("warn"),
      error: write("error"),
      with: (fields) => withFields({ ...outer, ...fields }),
    };
  };
  return withFields({});
}

function toLine({ level, message, fields }: TestLogEntry): string {
  return `${level} ${message}${"error" in fields ? `: ${fields["error"]}` : ""}`;
}

function toSuffix({ fields: { error: _, ...fields } }: TestLogEntry): string {
  const options = { breakLength: Number.POSITIVE_INFINITY, compact: true, depth: 3 };
  return Object.keys(fields).length === 0 ? "" : ` ${inspect(fields, options)}`;
}
