import { readFileSync, writeFileSync } from "node:fs";

/** Memory of a process. */
export interface ProcessMemory {
  readonly residentBytes: number;
  /** Highest resident memory so far. */
  readonly peakBytes: number;
}

/** Reads `/proc/PID/status`. Linux only. */
export function readProcessMemory(pid: number): ProcessMemory {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const bytesOf = (field: string): number =>
    Number(new RegExp(`^${field}:\\s*(\\d+) kB$`, "m").exec(status)?.[1]) * 1024;
  return { residentBytes: bytesOf("VmRSS"), peakBytes: bytesOf("VmHWM") };
}

/** Sets the peak to the present resident memory (proc(5), `clear_refs`). Linux only. */
export function resetPeakMemory(pid: number): void {
  writeFileSync(`/proc/${pid}/clear_refs`, "5");
}
