#!/usr/bin/env node
import { text } from "node:stream/consumers";
import { runCli } from "../cli/cli.ts";
import { readEnvironment } from "../config/environment.ts";
import { createSystemClock } from "../lib/system-clock.ts";
import { readVersion } from "./read-version.ts";

const signalNumbers = { SIGINT: 2, SIGTERM: 15 };

/** Aborts at the first signal; the second one ends the process at once, whatever still waits. */
function listenForSignals(): AbortSignal {
  const controller = new AbortController();
  for (const [name, number] of Object.entries(signalNumbers)) {
    process.on(name, () => {
      if (controller.signal.aborted) {
        process.exit(128 + number);
      }
      controller.abort();
    });
  }
  return controller.signal;
}

// A reader that has seen enough, such as head, is no error.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") {
    throw error;
  }
});

process.exitCode = await runCli(
  {
    signal: listenForSignals(),
    clock: createSystemClock(),
    environment: readEnvironment(),
    print: (text) => process.stdout.write(text),
    printError: (text) => process.stderr.write(text),
    readInput: () => text(process.stdin),
    // Loaded when they are called: a question to a server need not wait for a driver of Postgres.
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
