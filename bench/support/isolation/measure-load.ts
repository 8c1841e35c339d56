import { setTimeout as sleep } from "node:timers/promises";
import { readProcessMemory, resetPeakMemory } from "../process-memory.ts";
import { quantile } from "../statistics.ts";
import { machineTime, type Sample } from "./sample.ts";
import type { Target } from "./target.ts";

/** Effect of an attack on another account and on the server. */
export interface Load {
  /** Slowest answer to the other account, in milliseconds. */
  readonly answerMs: number;
  readonly medianAnswerMs: number;
  /** Slowest change of the other account, from its publish to its acknowledgement after COMMIT. */
  readonly changeMs: number;
  /** Calls of the other account that failed. */
  readonly failures: readonly string[];
  /** Peak of the server's resident memory above that before the attack. */
  readonly growthBytes: number;
  readonly seconds: number;
  /** True if the server runs and answers `/livez`. */
  readonly isAlive: boolean;
}

/** Bounds of a {@link Load}, "G" in the table. */
const MAX_ANSWER_MS = 250;
const MAX_GROWTH_BYTES = 200 * 1024 * 1024;
/** Longest wait for the end of a call that is open at the end of the attack. */
const MAX_OPEN_MS = 90_000;

/** Runs an attack and measures its load. */
export async function measureLoad<T>(
  target: Target,
  attack: () => Promise<T>,
): Promise<{ readonly load: Load; readonly value: T }> {
  const { pid } = target.program;
  const before = readProcessMemory(pid).residentBytes;
  resetPeakMemory(pid);
  const from = machineTime();
  const value = await attack();
  const to = machineTime();
  const samples = await collect(target, from, to);
  const of = (type: Sample["type"]): number[] =>
    samples.filter((sample) => sample.type === type).map((sample) => sample.to - sample.from);
  const isRunning = target.program.isRunning();
  const load: Load = {
    answerMs: Math.max(...of("query")),
    medianAnswerMs: quantile(of("query"), 0.5),
    changeMs: Math.max(...of("change")),
    failures: samples.flatMap(({ error }) => error ?? []),
    growthBytes: isRunning ? readProcessMemory(pid).peakBytes - before : Number.NaN,
    seconds: (to - from) / 1000,
    isAlive: isRunning && (await isLive(target)),
  };
  return { load, value };
}

/** Returns the median answer while nothing else happens, in milliseconds. */
export async function measureIdle(target: Target): Promise<number> {
  return (await measureLoad(target, () => sleep(2_000))).load.medianAnswerMs;
}

/** True if a load is within the bounds of "G". */
export function isBounded({ answerMs, failures, growthBytes, isAlive }: Load): boolean {
  return isAlive && failures.length === 0 && answerMs <= MAX_ANSWER_MS && growthBytes <= MAX_GROWTH_BYTES;
}

/** Returns the calls that overlap the attack. Waits for those that were open at its end. */
async function collect(target: Target, from: number, to: number): Promise<Sample[]> {
  const deadline = performance.now() + MAX_OPEN_MS;
  const isLate = (): boolean => performance.now() > deadline || !target.program.isRunning();
  const hasAll = (type: Sample["type"]): boolean =>
    target.samples().some((sample) => sample.type === type && sample.from >= to);
  while (!(hasAll("query") && hasAll("change")) && !isLate()) {
    await sleep(50);
  }
  return target.samples().filter((sample) => sample.to >= from && sample.from <= to);
}

async function isLive({ probeUrl }: Target): Promise<boolean> {
  const answer = await fetch(`${probeUrl}/livez`, { signal: AbortSignal.timeout(10_000) }).catch(
    () => undefined,
  );
  return answer?.status === 200;
}
