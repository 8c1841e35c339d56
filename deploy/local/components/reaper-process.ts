import { rmSync } from "node:fs";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";

/*
 * A separate program. It reads orders from its standard input, and executes the remaining ones when that closes. The
 * operating system closes it at any end of the other process, also after a kill.
 */

const graceMs = 5_000;
const pids = new Set<number>();
const directories = new Set<string>();

process.on("SIGINT", () => {});
process.on("SIGTERM", () => {});

for await (const line of createInterface({ input: process.stdin })) {
  const [verb, type, value = ""] = line.split("\t");
  if (type === "pid") {
    pids[verb === "add" ? "add" : "delete"](Number(value));
  } else {
    directories[verb === "add" ? "add" : "delete"](value);
  }
}

for (const pid of pids) {
  signal(pid, "SIGTERM");
}
for (let waitedMs = 0; waitedMs < graceMs && [...pids].some((pid) => signal(pid, 0)); waitedMs += 50) {
  await sleep(50);
}
for (const pid of pids) {
  signal(pid, "SIGKILL");
}
for (const directory of directories) {
  rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
}

function signal(pid: number, name: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, name);
  } catch {
    return false;
  }
}
