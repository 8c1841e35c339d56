import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { cacheDirectory } from "../../../deploy/local/components/cache-directory.ts";
import { createReaper } from "../../../deploy/local/components/reaper.ts";
import { testRecord } from "../vitest/test-record.ts";

/** Exit state of a process. */
export interface ProgramEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A process of `evenkeel ...`. A failed test shows its output. */
export interface Program {
  readonly pid: number;
  /** Returns its standard output so far. */
  readonly stdout: () => string;
  /** Returns its standard error so far. */
  readonly stderr: () => string;
  readonly isRunning: () => boolean;
  readonly ended: Promise<ProgramEnd>;
  /** Sends a signal and waits for the end; does nothing if the process has already ended. */
  end(signal: NodeJS.Signals): Promise<ProgramEnd>;
}

/** Result of a command. */
export interface CommandResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** The processes of a test file. Disposal kills those that still run, by their IDs. */
export interface Programs extends AsyncDisposable {
  start(...args: readonly string[]): Program;
  /** Starts a command and waits for its end. */
  run(...args: readonly string[]): Promise<CommandResult>;
}

type Stream = "stdout" | "stderr";

const mainEntry = fileURLToPath(new URL("../../../src/main/evenkeel.ts", import.meta.url));

/** Time limit of a command, after which it is killed, in milliseconds. */
const commandTimeoutMs = 90_000;

/**
 * Creates an empty set of processes. They get no `EVENKEEL_*` variables of this process.
 *
 * @param entry the file that they run; default: that of `evenkeel`
 * @param nodeFlags flags of Node, such as a limit of the heap
 */
export function createPrograms(entry = mainEntry, nodeFlags: readonly string[] = []): Programs {
  const reaper = createReaper();
  const running = new Set<Program>();
  const startRecorded = (args: readonly string[], recorded: readonly Stream[]): Program => {
    const program = startProgram([...nodeFlags, entry], args, recorded);
    const leftover = { type: "pid", pid: program.pid } as const;
    running.add(program);
    reaper.add(leftover);
    void program.ended.then(() => {
      running.delete(program);
      reaper.remove(leftover);
    });
    return program;
  };
  return {
    start: (...args) => startRecorded(args, ["stdout", "stderr"]),
    async run(...args) {
      // Its results are the caller's; a command that is run again and again would displace what others record.
      const program = startRecorded(args, ["stderr"]);
      const timer = setTimeout(() => program.end("SIGKILL"), commandTimeoutMs);
      const { code } = await program.ended;
      clearTimeout(timer);
      return { code, stdout: program.stdout(), stderr: program.stderr() };
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([...running].map((program) => program.end("SIGKILL")));
      await reaper[Symbol.asyncDispose]();
    },
  };
}

function startProgram(
  entry: readonly string[],
  args: readonly string[],
  recorded: readonly Stream[],
): Program {
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith("EVENKEEL_"));
  // Without the cache each process would compile the same sources again, which takes longer than most of its
  // work here.
  const env = { ...Object.fromEntries(inherited), NODE_COMPILE_CACHE: join(cacheDirectory(), "compiled") };
  const child = spawn(process.execPath, [...entry, ...args], { stdio: ["ignore", "pipe", "pipe"], env });
  const { pid } = child;
  if (pid === undefined) {
    throw new Error(`${process.execPath}: cannot be started`);
  }
  const kept = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const) {
    child[name].setEncoding("utf8").on("data", (chunk: string) => {
      kept[name] += chunk;
    });
  }
  for (const name of recorded) {
    createInterface(child[name]).on("line", (line) => testRecord.add(`${args[0]} ${pid}: ${line}`));
  }
  // Its output is complete only after the streams have closed too.
  const ended = once(child, "close").then(([code, signal]): ProgramEnd => ({ code, signal }));
  const isRunning = (): boolean => child.exitCode === null && child.signalCode === null;
  return {
    pid,
    isRunning,
    stdout: () => kept.stdout,
    stderr: () => kept.stderr,
    ended,
    async end(signal) {
      if (isRunning()) {
        child.kill(signal);
      }
      return await ended;
    },
  };
}
