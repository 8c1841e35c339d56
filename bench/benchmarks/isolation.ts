import { setTimeout as sleep } from "node:timers/promises";
import { toMessage } from "../../src/lib/errors.ts";
import type { Finding, IsolationCase } from "../support/isolation/isolation-case.ts";
import { isBounded, type Load, measureLoad } from "../support/isolation/measure-load.ts";
import { startTarget } from "../support/isolation/target.ts";
import type { World } from "../support/world.ts";
import { accessCases } from "./isolation/access.ts";
import { agentCases } from "./isolation/agents.ts";
import { busMessageCases } from "./isolation/bus-messages.ts";
import { connectionCases } from "./isolation/connections.ts";
import { elsewhere } from "./isolation/elsewhere.ts";
import { idleRunCases } from "./isolation/idle-runs.ts";
import { lockCases } from "./isolation/locks.ts";
import { memoryCases } from "./isolation/memory.ts";
import { messageCases } from "./isolation/messages.ts";
import { pageCases } from "./isolation/pages.ts";
import { queryCases } from "./isolation/queries.ts";
import { streamCases } from "./isolation/streams.ts";

/** The machine's own delays, to compare with. */
const idleCase: IsolationCase = {
  row: 0,
  attack: "none, for 5 s",
  bound: "G",
  async run(world) {
    await using target = await startTarget(world);
    const { load } = await measureLoad(target, () => sleep(5_000));
    return { load, detail: `p50 ${load.medianAnswerMs.toFixed(1)} ms`, holds: true };
  },
};

const cases: readonly IsolationCase[] = [
  idleCase,
  ...messageCases,
  ...streamCases,
  ...pageCases,
  ...connectionCases,
  ...accessCases,
  ...lockCases,
  ...queryCases,
  ...idleRunCases,
  ...busMessageCases,
  ...agentCases,
  ...memoryCases,
].toSorted((a, b) => a.row - b.row);

/**
 * Attacks a server, and breaks things around it, while another account works with it. Prints the effect of each attack
 * with its bound. The exit code of the process is 1 if one does not hold.
 */
export async function isolation(world: World): Promise<void> {
  await runCases(world, cases);
  console.log("\n  | # | attack or fault | measured by |\n  |--:|---|---|");
  for (const { row, attack, place } of elsewhere) {
    console.log(`  | ${row} | ${attack} | ${place} |`);
  }
}

/** Runs the cases one after the other. Each has a server of its own. */
export async function runCases(world: World, of: readonly IsolationCase[]): Promise<void> {
  console.log(
    "  G: slowest answer to another account <= 250 ms, growth of memory <= 200 MiB, no failed call",
  );
  console.log(
    "  | # | attack or fault | slowest answer / change | memory | time | figures | bound | holds |",
  );
  console.log("  |--:|---|--:|--:|--:|---|---|---|");
  for (const { row, attack, bound, run } of of) {
    const { load, detail, holds }: Finding = await run(world).catch((error: unknown) => ({
      detail: `failed: ${toMessage(error).slice(0, 500)}`,
      holds: false,
    }));
    const isHeld = holds && (load === undefined || isBounded(load));
    process.exitCode = isHeld ? process.exitCode : 1;
    const cells = [row, attack, ...toCells(load), detail, bound, isHeld ? "yes" : "NO"];
    console.log(`  | ${cells.join(" | ")} |`);
  }
}

function toCells(load: Load | undefined): string[] {
  if (load === undefined) {
    return ["", "", ""];
  }
  const { answerMs, changeMs, growthBytes, seconds, failures, isAlive } = load;
  const failed =
    failures.length === 0 ? "" : `, ${failures.length} calls failed (${failures[0]?.slice(0, 100)})`;
  return [
    `${answerMs.toFixed(0)} / ${changeMs.toFixed(0)} ms${failed}`,
    isAlive ? `+${(growthBytes / 1024 / 1024).toFixed(0)} MiB` : "the server has ended",
    `${seconds.toFixed(1)} s`,
  ];
}
