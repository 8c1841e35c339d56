import { setTimeout as sleep } from "node:timers/promises";
import type { Program } from "../../test/support/e2e/programs.ts";

/** Polls every 50 ms until `isDone` resolves to true. Fails after `timeoutMs`, with the program's log. */
export async function until(
  what: string,
  isDone: () => Promise<boolean>,
  program: Program,
  timeoutMs = 120_000,
): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!(await isDone().catch(() => false))) {
    if (!program.isRunning() || performance.now() > deadline) {
      throw new Error(
        `${what}: not reached within ${timeoutMs / 1_000} s or before the end of the program:\n${program.stderr().slice(-4_000)}`,
      );
    }
    await sleep(50);
  }
}
