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
const MAX_OPEN_MS = 30_000;

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
  await waitForCalls(target, to);
  const samples = target.samples().filter((sample) => sample.to >= from && sample.from <= to);
  const times = {
    query: timesOf(target, samples, "query", to),
    change: timesOf(target, samples, "change", to),
  };
  const isRunning = target.program.isRunning();
  const load: Load = {
    answerMs: Math.max(...times.query),
    medianAnswerMs: quantile(times.query, 0.5),
    changeMs: Math.max(...times.change),
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

/** Waits until the calls that are open at this time have ended. */
async function waitForCalls(target: Target, time: number): Promise<void> {
  const deadline = performance.now() + MAX_OPEN_MS;
  const isLate = (): boolean => performance.now() > deadline || !target.program.isRunning();
  while (!(hasCallSince(target, "query", time) && hasCallSince(target, "change", time)) && !isLate()) {
    await sleep(50);
  }
}

/** True if a call that began since this time has ended, so that all those before it have. */
function hasCallSince(target: Target, type: Sample["type"], time: number): boolean {
  return target.samples().some((sample) => sample.type === type && sample.from >= time);
}

/** Returns the times of calls. One that has not ended counts with its time so far. */
function timesOf(
  target: Target,
  samples: readonly Sample[],
  type: Sample["type"],
  time: number,
): readonly number[] {
  const ended = samples.filter((sample) => sample.type === type).map((sample) => sample.to - sample.from);
  if (hasCallSince(target, type, time)) {
    return ended;
  }
  const last = target.samples().findLast((sample) => sample.type === type);
  return [...ended, machineTime() - (last?.to ?? 0)];
}

async function isLive({ probeUrl }: Target): Promise<boolean> {
  const answer = await fetch(`${probeUrl}/livez`, { signal: AbortSignal.timeout(10_000) }).catch(
    () => undefined,
  );
  return answer?.status === 200;
}
