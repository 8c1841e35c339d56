#!/usr/bin/env node
import { createInterface } from "node:readline/promises";
import { text } from "node:stream/consumers";
import { runCli } from "../cli/cli.ts";
import { readEnvironment } from "../config/load.ts";
import { createSystemClock } from "../lib/clock.ts";
import { readVersion } from "./read-version.ts";

const signalNumbers = { SIGINT: 2, SIGTERM: 15 };

/** Time to end after a signal, in milliseconds. A program ends in about 15 s; this is below the 30 s of a Pod. */
const STOP_TIMEOUT_MS = 25_000;

function endLate(): never {
  process.stderr.write(
    `evenkeel: expected the end ${STOP_TIMEOUT_MS / 1000} s after the signal; ending at once\n`,
  );
  process.exit(1);
}

/** Returns a signal that aborts at the first SIGINT or SIGTERM. The second one ends the process at once. */
function listenForSignals(): AbortSignal {
  const controller = new AbortController();
  for (const [name, number] of Object.entries(signalNumbers)) {
    process.on(name, () => {
      if (controller.signal.aborted) {
        process.exit(128 + number);
      }
      controller.abort();
      setTimeout(endLate, STOP_TIMEOUT_MS).unref();
    });
  }
  return controller.signal;
}

/** Asks a question on standard error. Ctrl-C at the question ends the process, as elsewhere. */
async function askTerminal(question: string): Promise<string> {
  using terminal = createInterface({ input: process.stdin, output: process.stderr });
  terminal.on("SIGINT", () => process.kill(process.pid, "SIGINT"));
  return await terminal.question(question, { signal });
}

const signal = listenForSignals();

// A reader such as head closes the pipe early; that is not an error.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") {
    throw error;
  }
});

process.exitCode = await runCli(
  {
    signal,
    clock: createSystemClock(),
    environment: readEnvironment(),
    print: (text) => process.stdout.write(text),
    printError: (text) => process.stderr.write(text),
    ask: process.stdin.isTTY && process.stderr.isTTY ? askTerminal : undefined,
    readInput: () => text(process.stdin),
    // Each program is imported on its first call: a command that queries a server needs no Postgres driver.
    programs: {
      runServer: async (signal, config) => (await import("./server.ts")).runServer(signal, config),
      runBackend: async (signal, config) => (await import("./backend.ts")).runBackend(signal, config),
      runIngester: async (signal, config) => (await import("./ingester.ts")).runIngester(signal, config),
      runAgent: async (signal, config) => (await import("./agent.ts")).runAgent(signal, config),
      runDev: async (signal, config) => (await import("../dev/dev.ts")).runDev(signal, config),
    },
  },
  readVersion(),
  process.argv.slice(2),
);
