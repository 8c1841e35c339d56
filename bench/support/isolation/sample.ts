/** One call of the other account. Times are milliseconds of the machine's monotonic clock. */
export interface Sample {
  readonly type: "query" | "change";
  readonly from: number;
  readonly to: number;
  /** Set if the call failed. */
  readonly error?: string;
}

/** The present time of the clock that all processes of the machine share. */
export function machineTime(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

/** Parses the complete lines of a prober's output. */
export function parseSamples(output: string): Sample[] {
  return output
    .slice(0, output.lastIndexOf("\n") + 1)
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Sample);
}
