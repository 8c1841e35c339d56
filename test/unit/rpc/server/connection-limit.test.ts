import { spawn } from "node:child_process";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { describe, expect, onTestFinished, test } from "vitest";
import { toConnectionLimit } from "../../../../src/rpc/server/connection-limit.ts";

const PROGRAM = join(import.meta.dirname, "../../../support/rpc/serve-with-probes.ts");

describe("the connection limit of a port", () => {
  test.each([
    ["leaves 200 descriptors to the rest of the process", { userLimits: { open_files: { soft: 300 } } }, 100],
    ["is at least 1", { userLimits: { open_files: { soft: 64 } } }, 1],
    ["is at most 10,000", { userLimits: { open_files: { soft: 1_000_000 } } }, 10_000],
    ["is 10,000 without a descriptor limit", { userLimits: { open_files: { soft: "unlimited" } } }, 10_000],
    ["is 10,000 where there are no such limits", {}, 10_000],
  ])("%s", (_name, report, limit) => {
    expect(toConnectionLimit(report)).toBe(limit);
  });

  test("closes further connections at once, and the probes still answer", async () => {
    const { rpcPort, probes } = await startProgram(300);
    const sockets = Array.from({ length: 290 }, () => connect(rpcPort, "127.0.0.1"));
    onTestFinished(() => {
      for (const socket of sockets) {
        socket.destroy();
      }
    });
    await Promise.all(sockets.map((socket) => once(socket, "connect")));
    const closed = new Set<Socket>();
    for (const socket of sockets) {
      socket.resume().on("error", () => {});
      socket.once("close", () => closed.add(socket));
    }
    await expect.poll(() => closed.size).toBe(190);
    expect((await fetch(`${probes}/livez`)).status).toBe(200);
  });
});

/** Starts a program with a descriptor limit. It ends with the test. */
async function startProgram(descriptors: number): Promise<{ rpcPort: number; probes: string }> {
  const command = `ulimit -n ${descriptors} && exec "${process.execPath}" "${PROGRAM}"`;
  const child = spawn("sh", ["-c", command], { stdio: ["ignore", "pipe", "inherit"] });
  onTestFinished(() => {
    child.kill("SIGKILL");
  });
  for await (const line of createInterface({ input: child.stdout })) {
    return JSON.parse(line);
  }
  throw new Error(`${command}: expected its ports, found the end of its output`);
}
