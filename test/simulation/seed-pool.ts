import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import type { Plan } from "./plan.ts";
import type { SeedResult } from "./worker.ts";

/**
 * Plans that a process simulates before another one takes its place. A simulated process that dies leaves its waits
 * behind, about 3 MB for each plan.
 */
const PLANS_PER_PROCESS = 250;

interface Worker {
  child: ChildProcess;
  plans: number;
}

/** Processes that simulate plans, each plan in one of them. Their start takes seconds. */
export class SeedPool implements Disposable {
  readonly #workers: readonly Worker[];

  private constructor(children: readonly ChildProcess[]) {
    this.#workers = children.map((child) => ({ child, plans: 0 }));
  }

  /** Starts the processes; default: one for each core. */
  static async create(workers = availableParallelism()): Promise<SeedPool> {
    return new SeedPool(await Promise.all(Array.from({ length: workers }, start)));
  }

  /** Simulates plans. Rejects if a process ends. */
  async run(plans: readonly Plan[], onResult: (result: SeedResult) => void): Promise<void> {
    let next = 0;
    const work = async (worker: Worker): Promise<void> => {
      while (next < plans.length) {
        const plan = plans[next++] as Plan;
        if (worker.plans++ === PLANS_PER_PROCESS) {
          worker.child.kill("SIGKILL");
          worker.child = await start();
          worker.plans = 1;
        }
        worker.child.send(plan);
        onResult((await answerOf(worker.child)) as SeedResult);
      }
    };
    await Promise.all(this.#workers.map(work));
  }

  [Symbol.dispose](): void {
    for (const { child } of this.#workers) {
      child.kill("SIGKILL");
    }
  }
}

async function start(): Promise<ChildProcess> {
  const child = fork(fileURLToPath(new URL("./worker.ts", import.meta.url)));
  try {
    await answerOf(child);
    return child;
  } catch (error) {
    child.kill("SIGKILL");
    throw error;
  }
}

async function answerOf(child: ChildProcess): Promise<unknown> {
  const answered = new AbortController();
  const { signal } = answered;
  const ended = once(child, "exit", { signal }).then(([code, killed]) => {
    throw new Error(`a worker of the simulator ended: ${killed ?? `code ${code}`}`);
  });
  try {
    const [answer] = await Promise.race([once(child, "message", { signal }), ended]);
    return answer;
  } finally {
    answered.abort();
    ended.catch(() => {});
  }
}
