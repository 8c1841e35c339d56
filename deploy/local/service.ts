import { spawn } from "node:child_process";
import { once } from "node:events";
import { openSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Leftover, Reaper } from "./components/reaper.ts";

/** A process of the stack, whose output goes to a file. */
export interface Service {
  readonly name: string;
  readonly logPath: string;
  /** Resolves when it ends, with what it ended with. */
  readonly ended: Promise<number | string>;
  /** Asks it to end, and waits; kills it after ten seconds. */
  stop(): Promise<void>;
}

/** Where services come from, and where they log. */
export interface ServiceOptions {
  readonly directory: string;
  readonly reaper: Reaper;
}

const root = fileURLToPath(new URL("../..", import.meta.url));

const STOP_TIMEOUT_MS = 10_000;

/** Starts a script of the checkout under Node: `src/main/evenkeel.ts` with its arguments, for instance. */
export function startService(
  name: string,
  [script = "", ...args]: readonly string[],
  { directory, reaper }: ServiceOptions,
): Service {
  const logPath = join(directory, `${name}.log`);
  const output = openSync(logPath, "a");
  const child = spawn(process.execPath, [join(root, script), ...args], {
    stdio: ["ignore", output, output],
    // Ctrl-C at a terminal goes to the whole group: the stack ends its services itself, in order.
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
