import { readdirSync, readFileSync } from "node:fs";
import { readProcessMemory } from "./process-memory.ts";

/** Clock ticks per second in `/proc` (USER_HZ), the same on all architectures of Linux that Node supports. */
const TICKS = 100;
const SAMPLE_MS = 1_000;

/** A part of the system: its processes at this time. They may change. */
export interface Part {
  readonly name: string;
  pids(): readonly number[];
}

/** Consumption of a part. */
export interface PartUsage {
  readonly name: string;
  /** CPU time of each phase, in seconds, by the name of the phase. */
  readonly cpuSeconds: Readonly<Record<string, number>>;
  readonly peakBytes: number;
}

/** Measures the CPU time and the memory of parts. Linux only. */
export interface UsageMeter extends Disposable {
  /** Ends a phase of this name. */
  endPhase(name: string): void;
  usage(): PartUsage[];
}

/**
 * Starts to measure, every second. A process that ends loses its last part of a second. Memory is resident memory; where
 * a part is a server with children that share memory, the sum of proportional shares.
 */
export function startUsageMeter(parts: readonly Part[]): UsageMeter {
  const measured = parts.map((part) => ({
    part,
    cpuByPid: new Map<number, number>(),
    before: 0,
    cpuSeconds: {} as Record<string, number>,
    peakBytes: 0,
  }));
  const sample = (): void => {
    const children = readChildren();
    for (const each of measured) {
      let bytes = 0;
      for (const pid of each.part.pids()) {
        const own = children.get(pid) ?? [];
        try {
          each.cpuByPid.set(pid, readCpuSeconds(pid, own));
          // A process that ends has no memory before it has no files.
          bytes +=
            (own.length === 0 ? readProcessMemory(pid).peakBytes : readSharedBytes([pid, ...own])) || 0;
        } catch {
          // It has just ended.
        }
      }
      each.peakBytes = Math.max(each.peakBytes, bytes);
    }
  };
  const timer = setInterval(sample, SAMPLE_MS).unref();
  sample();
  const sum = (values: Iterable<number>): number => [...values].reduce((a, b) => a + b, 0);
  const endPhase = (name: string | undefined): void => {
    sample();
    for (const each of measured) {
      const now = sum(each.cpuByPid.values());
      if (name !== undefined) {
        each.cpuSeconds[name] = now - each.before;
      }
      each.before = now;
    }
  };
  endPhase(undefined);
  return {
    endPhase,
    usage: () =>
      measured.map(({ part, cpuSeconds, peakBytes }) => ({ name: part.name, cpuSeconds, peakBytes })),
    [Symbol.dispose]: () => clearInterval(timer),
  };
}

/** Returns the process IDs of the children of each process. */
function readChildren(): ReadonlyMap<number, number[]> {
  const children = new Map<number, number[]>();
  for (const entry of readdirSync("/proc")) {
    const pid = Number(entry);
    if (Number.isNaN(pid)) {
      continue;
    }
    try {
      const parent = Number(readStat(pid)[1]);
      children.set(parent, [...(children.get(parent) ?? []), pid]);
    } catch {
      // It has just ended.
    }
  }
  return children;
}

/** Returns the fields of `/proc/PID/stat` behind the name, from the state on. */
function readStat(pid: number): string[] {
  const text = readFileSync(`/proc/${pid}/stat`, "utf8");
  return text.slice(text.lastIndexOf(")") + 2).split(" ");
}

/** Returns the CPU time of a process, of its children that have ended, and of those that run. */
function readCpuSeconds(pid: number, children: readonly number[]): number {
  const ticksOf = (fields: readonly string[], count: number): number =>
    fields.slice(11, 11 + count).reduce((sum, field) => sum + Number(field), 0);
  let ticks = ticksOf(readStat(pid), 4);
  for (const child of children) {
    ticks += ticksOf(readStat(child), 2);
  }
  return ticks / TICKS;
}

/** Returns the memory of processes. Pages that several share count once. */
function readSharedBytes(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => {
    const text = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
    return sum + Number(/^Pss:\s*(\d+) kB$/m.exec(text)?.[1]) * 1024;
  }, 0);
}
