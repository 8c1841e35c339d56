import { setTimeout as sleep } from "node:timers/promises";
import type { Program } from "../../test/support/e2e/programs.ts";

/** Looks every 50 ms until `look` resolves with true. Gives up after two minutes, with what the program logged. */
export async function until(what: string, look: () => Promise<boolean>, program: Program): Promise<void> {
  const deadline = performance.now() + 120_000;
  while (!(await look().catch(() => false))) {
    if (!program.isRunning() || performance.now() > deadline) {
      throw new Error(`waited in vain for ${what}:\n${program.stderr().slice(-4_000)}`);
    }
    await sleep(50);
  }
}
