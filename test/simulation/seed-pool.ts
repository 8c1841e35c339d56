import { fork } from "node:child_process";
import { once } from "node:events";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import type { SeedResult } from "./worker.ts";

export interface SeedPoolOptions {
  readonly firstSeed: number;
  readonly count: number;
  /** Number of processes; default: one for each core. */
  readonly workers?: number;
  readonly onResult: (result: SeedResult) => void;
}

/** Simulates seeds in several processes, each seed in one of them. Rejects if a process ends before its time. */
export async function simulateSeeds({
  firstSeed,
  count,
  workers = availableParallelism(),
  onResult,
}: SeedPoolOptions): Promise<void> {
  const end = firstSeed + count;
  let next = firstSeed;
  const work = async (): Promise<void> => {
    const child = fork(fileURLToPath(new URL("./worker.ts", import.meta.url)));
    const ended = once(child, "exit").then(([code, signal]) => {
      throw new Error(`a worker of the simulator ended: ${signal ?? `code ${code}`}`);
    });
    ended.catch(() => {});
    try {
      await Promise.race([once(child, "message"), ended]);
      while (next < end) {
        const answered = once(child, "message");
        child.send(next++);
        const [result] = await Promise.race([answered, ended]);
        onResult(result as SeedResult);
      }
    } finally {
      child.kill("SIGKILL");
    }
  };
  await Promise.all(Array.from({ length: Math.min(workers, count) }, work));
}
