import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

/** A process or directory to clean up when this process ends. */
export type Leftover =
  | { readonly type: "pid"; readonly pid: number }
  | { readonly type: "dir"; readonly path: string };

/** Cleans up after this process, also after a kill. */
export interface Reaper extends AsyncDisposable {
  /** Adds a leftover: it is stopped or removed when this process ends or the reaper is disposed. */
  add(leftover: Leftover): void;
  /** Removes a leftover after a regular cleanup. */
  remove(leftover: Leftover): void;
}

/** Starts a separate process that detects the end of this one through a pipe. */
export function createReaper(): Reaper {
  const child: ChildProcess = spawn(
    process.execPath,
    [fileURLToPath(new URL("reaper-process.ts", import.meta.url))],
    {
      stdio: ["pipe", "ignore", "inherit"],
      detached: true,
    },
  );
  child.unref();
  const exited = once(child, "exit");
  const order = (verb: "add" | "remove", leftover: Leftover): void => {
    const value = leftover.type === "pid" ? leftover.pid : leftover.path;
    child.stdin?.write(`${verb}\t${leftover.type}\t${value}\n`);
  };
  return {
    add: (leftover) => order("add", leftover),
    remove: (leftover) => order("remove", leftover),
    async [Symbol.asyncDispose]() {
      child.ref();
      child.stdin?.end();
      await exited;
    },
  };
}
