import type { Log, LogFields } from "../../src/lib/log.ts";

/** A log that records its lines: "warn message: error". */
export interface RecordingLog extends Log {
  readonly lines: readonly string[];
}

/** Creates a log without lines. */
export function createRecordingLog(): RecordingLog {
  const lines: string[] = [];
  const write =
    (level: string) =>
    (message: string, fields: LogFields = {}): void => {
      lines.push(`${level} ${message}${"error" in fields ? `: ${fields["error"]}` : ""}`);
    };
  const log: RecordingLog = {
    lines,
    debug: write("debug"),
    info: write("info"),
    warn: write("warn"),
    error: write("error"),
    with: () => log,
  };
  return log;
}
