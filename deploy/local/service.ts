import { spawn } from "node:child_process";
import { once } from "node:events";
import { openSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Leftover, Reaper } from "./components/reaper.ts";

/** A process of the stack, with its output in a file. */
export interface Service {
  readonly name: string;
  readonly logPath: string;
  /** Resolves with the exit code or the signal when it ends. */
  readonly ended: Promise<number | string>;
  /** Stops the process and waits for its end. Kills it after ten seconds. */
  stop(): Promise<void>;
}

export interface ServiceOptions {
  readonly directory: string;
  readonly reaper: Reaper;
}

const root = fileURLToPath(new URL("../..", import.meta.url));

const STOP_TIMEOUT_MS = 10_000;

/** Starts a script of the checkout with Node, such as `src/main/evenkeel.ts` with its arguments. */
export function startService(
  name: string,
  [script = "", ...args]: readonly string[],
  { directory, reaper }: ServiceOptions,
): Service {
  const logPath = join(directory, `${name}.log`);
  const output = openSync(logPath, "a");
  const child = spawn(process.execPath, [join(root, script), ...args], {
    stdio: ["ignore", output, output],
    // A terminal sends Ctrl-C to the whole group, but the stack stops its services itself, in order.
    detached: true,
  });
  const leftover: Leftover = { type: "pid", pid: Number(child.pid) };
  reaper.add(leftover);
  const ended = once(child, "exit").then(([code, signal]) => {
    reaper.remove(leftover);
    return code ?? signal;
  });
  return {
    name,
    logPath,
    ended,
    async stop() {
      child.kill("SIGTERM");
      const timer = setTimeout(() => child.kill("SIGKILL"), STOP_TIMEOUT_MS);
      await ended;
      clearTimeout(timer);
    },
  };
}
