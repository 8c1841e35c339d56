import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import type { Leftover, Reaper } from "./reaper.ts";

export interface ServerProcessOptions {
  readonly command: string;
  readonly args: readonly string[];
  readonly reaper: Reaper;
  /** Resolves to true if the server is ready. Polled until then, or until the server ends. */
  readonly isReady: () => Promise<boolean>;
  /** Signal for a graceful stop; default SIGTERM. */
  readonly stopSignal?: NodeJS.Signals;
  /** Time for a graceful stop before the kill, in milliseconds; default 10,000. */
  readonly stopTimeoutMs?: number;
  /** User of the server; default: the user of this process. */
  readonly user?: { readonly uid: number; readonly gid: number };
  /** Environment of the server; default: that of this process. */
  readonly env?: NodeJS.ProcessEnv;
}

/** A server that runs until it is stopped. */
export interface ServerProcess {
  readonly processId: number;
  /** Stops the server and waits for its end. Kills it after the timeout. */
  stop(): Promise<void>;
  /** Kills the server and waits for its end. */
  kill(): Promise<void>;
}

/** A broker that starts on a busy machine takes more than a minute. */
const startTimeoutMs = 180_000;
const lastOutputBytes = 4_000;

/**
 * Starts a server and waits until it is ready.
 *
 * @throws Error with its last output, if it ends or is not ready in time
 */
export async function startServerProcess(options: ServerProcessOptions): Promise<ServerProcess> {
  const {
    command,
    args,
    reaper,
    isReady,
    stopSignal = "SIGTERM",
    stopTimeoutMs = 10_000,
    user,
    env,
  } = options;
  const child = spawn(command, args, {
    stdio: ["ignore", "pipe", "pipe"],
    ...user,
    ...(env === undefined ? {} : { env }),
  });
  const output = keepLastOutput(child);
  await once(child, "spawn");
  const processId = Number(child.pid);
  const leftover: Leftover = { type: "pid", pid: processId };
  reaper.add(leftover);
  const exited = once(child, "exit").then(() => reaper.remove(leftover));
  const stop = async (): Promise<void> => {
    child.kill(stopSignal);
    const timer = setTimeout(() => child.kill("SIGKILL"), stopTimeoutMs);
    await exited;
    clearTimeout(timer);
  };
  const kill = async (): Promise<void> => {
    child.kill("SIGKILL");
    await exited;
  };
  const deadline = performance.now() + startTimeoutMs;
  while (!(await isReady().catch(() => false))) {
    if (child.exitCode !== null || child.signalCode !== null || performance.now() > deadline) {
      await stop();
      throw new Error(`${command}: not ready; its last output:\n${output()}`);
    }
    await sleep(50);
  }
  return { processId, stop, kill };
}

function keepLastOutput(child: ChildProcess): () => string {
  let kept = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding("utf8").on("data", (chunk: string) => {
      kept = (kept + chunk).slice(-lastOutputBytes);
    });
  }
  return () => kept;
}
