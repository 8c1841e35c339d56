import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import type { Leftover, Reaper } from "./reaper.ts";

/** How to start a server. */
export interface ServerProcessOptions {
  readonly command: string;
  readonly args: readonly string[];
  readonly reaper: Reaper;
  /** Whether it serves; asked until it says so or the server ends. */
  readonly isReady: () => Promise<boolean>;
  /** Signal that stops it well; SIGTERM unless set. */
  readonly stopSignal?: NodeJS.Signals;
  /** How long it may take to stop before it is killed, in milliseconds; 10,000 unless set. */
  readonly stopTimeoutMs?: number;
  /** Whom it runs as; this process's user unless set. */
  readonly user?: { readonly uid: number; readonly gid: number };
  /** Its environment; this process's unless set. */
  readonly env?: NodeJS.ProcessEnv;
}

/** A server that runs until it is stopped. */
export interface ServerProcess {
  /** Stops it and waits for its end; kills it when that takes too long. */
  stop(): Promise<void>;
  /** Ends it without warning, and waits for its end. */
  kill(): Promise<void>;
}

const startTimeoutMs = 60_000;
const lastOutputBytes = 4_000;

/** Starts a server and waits until it is ready. Throws, with its last output, when it ends or takes over a minute. */
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
  const leftover: Leftover = { type: "pid", pid: Number(child.pid) };
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
      throw new Error(`${command} did not become ready; its last output:\n${output()}`);
    }
    await sleep(50);
  }
  return { stop, kill };
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
