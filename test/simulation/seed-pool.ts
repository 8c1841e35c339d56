import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import type { Plan } from "./plan.ts";
import type { SeedResult } from "./worker.ts";

/** Processes that simulate plans, each plan in one of them. Their start takes seconds. */
export class SeedPool implements Disposable {
  readonly #children: readonly ChildProcess[];

  private constructor(children: readonly ChildProcess[]) {
    this.#children = children;
  }

  /** Starts the processes; default: one for each core. */
  static async create(workers = availableParallelism()): Promise<SeedPool> {
    const children = Array.from({ length: workers }, () =>
      fork(fileURLToPath(new URL("./worker.ts", import.meta.url))),
    );
    await Promise.all(children.map((child) => answerOf(child)));
    return new SeedPool(children);
  }

  /** Simulates plans. Rejects if a process ends. */
  async run(plans: readonly Plan[], onResult: (result: SeedResult) => void): Promise<void> {
    let next = 0;
    const work = async (child: ChildProcess): Promise<void> => {
      while (next < plans.length) {
        child.send(plans[next++] as Plan);
        onResult((await answerOf(child)) as SeedResult);
      }
    };
    await Promise.all(this.#children.map(work));
  }

  [Symbol.dispose](): void {
    for (const child of this.#children) {
      child.kill("SIGKILL");
    }
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
