import { execFileSync } from "node:child_process";

/** Stops a process and its descendants by SIGSTOP, and continues them when `work` has ended. */
export async function whileFrozen(pid: number | undefined, work: () => Promise<void>): Promise<void> {
  if (pid === undefined) {
    throw new Error("no process to freeze");
  }
  // Throws if there is none.
  process.kill(pid, "SIGSTOP");
  try {
    signalTree(pid, "SIGSTOP");
    await work();
  } finally {
    signalTree(pid, "SIGCONT");
  }
}

/** Signals a parent before its children, so that it starts no more of them. A child may have ended meanwhile. */
function signalTree(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") {
      throw error;
    }
  }
  for (const child of listChildren(pid)) {
    signalTree(child, signal);
  }
}

function listChildren(pid: number): readonly number[] {
  const lines = execFileSync("ps", ["-A", "-o", "pid=,ppid="], { encoding: "utf8" }).trim().split("\n");
  const pairs = lines.map((line) => line.trim().split(/\s+/).map(Number));
  return pairs.flatMap(([child, parent]) => (parent === pid && child !== undefined ? [child] : []));
}
