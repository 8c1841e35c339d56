import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

/** What is to be cleaned up, should this process die. */
export type Leftover =
  | { readonly type: "pid"; readonly pid: number }
  | { readonly type: "dir"; readonly path: string };

/** Cleans up after this process, even when it is killed. */
export interface Reaper extends AsyncDisposable {
  /** From now on: processes are stopped and directories removed when this process ends or the reaper is disposed. */
  add(leftover: Leftover): void;
  /** It has been cleaned up in the ordinary way. */
  remove(leftover: Leftover): void;
}

/** Starts a process of its own that watches over this one through a pipe. */
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
