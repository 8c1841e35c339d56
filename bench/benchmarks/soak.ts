import { toMessage } from "../../src/lib/errors.ts";
import { compareRows, type Differences, formatDifferences, isEqual } from "../support/fleet/compare-rows.ts";
import { startFleet } from "../support/fleet/start-fleet.ts";
import { machineTime } from "../support/isolation/sample.ts";
import { startTarget, type Target } from "../support/isolation/target.ts";
import { type Figure, printFigures } from "../support/print-figures.ts";
import { readProcessMemory } from "../support/process-memory.ts";
import { prepareAttacks } from "../support/soak/attacks.ts";
import { quantile } from "../support/statistics.ts";
import type { World } from "../support/world.ts";

const NEIGHBOURS = ["first", "second"];
const OBJECTS = 500;
const CONTENT_BYTES = 1_000;
/** Of each of the other accounts. */
const CHANGES_PER_SECOND = 20;
const MAX_P99_MS = 1_000;
const MAX_GROWTH = 1.15;
const MEMORY_MS = 1_000;
const MINUTE_MS = 60_000;
const MIB = 1024 * 1024;

/**
 * Attacks one `evenkeel server` in all ways of the isolation benchmark in turn, while two other accounts change objects
 * and list their clusters all the time. The exit code is 1 if they miss a change or wait too long, or if the memory of
 * the server grows.
 */
export async function soak(world: World, minutes: number): Promise<void> {
  await using stack = new AsyncDisposableStack();
  const flags = ["--reconcile-interval", "30s"];
  const target = stack.use(await startTarget(world, { flags, listers: NEIGHBOURS }));
  const fleet = stack.use(await startFleet(world, target.databaseUrl, 1));
  const members = [...target.neighbourTokens].map(([account, token]) => ({
    ...{ account, token, cluster: `cluster-of-${account}` },
  }));
  await fleet.create(members, OBJECTS, CONTENT_BYTES);
  await fleet.startAgents([target.url]);
  const attacks = await prepareAttacks(world, target, stack);
  await untilCopied();
  async function compare(): Promise<Differences[]> {
    const objects = await fleet.list();
    return await Promise.all(
      members.map(({ account, cluster }) =>
        compareRows(target.databaseUrl, account, new Map([[cluster, objects.get(cluster) ?? []]])),
      ),
    );
  }
  async function untilCopied(): Promise<void> {
    await fleet.settle(async () => (await compare()).every(isEqual));
    if (!(await compare()).every(isEqual)) {
      throw new Error(`soak: the first copy is not complete:\n${target.program.stderr().slice(-4_000)}`);
    }
  }

  const errors: string[] = [];
  let slowest = { ms: 0, attack: "" };
  const takeLists = (from: number, attack: string): Lists => {
    const lists = listsSince(target, from);
    errors.push(...lists.errors);
    slowest = lists.slowestMs > slowest.ms ? { ms: lists.slowestMs, attack } : slowest;
    return lists;
  };
  const started = performance.now();
  const endMs = minutes * MINUTE_MS;
  using memory = measureMemory(target);
  fleet.startChanges(1_000 / (CHANGES_PER_SECOND * members.length));
  const latencies: number[] = [];
  console.log(
    "  | minute | attack | slowest list / p99 of changes | memory | result |\n  |--:|---|--:|--:|---|",
  );
  for (let round = 1; performance.now() - started < endMs; round += 1) {
    for (const attack of attacks) {
      if (performance.now() - started >= endMs || !target.program.isRunning()) {
        break;
      }
      const from = machineTime();
      const result = await attack.run(round).catch((error: unknown) => `failed: ${toMessage(error)}`);
      const lists = takeLists(from, attack.name);
      const { latencies: changes } = await fleet.takeSamples();
      latencies.push(...changes);
      const cells = [
        ((performance.now() - started) / MINUTE_MS).toFixed(1),
        attack.name,
        `${lists.slowestMs.toFixed(0)} / ${changes.length === 0 ? "-" : quantile(changes, 0.99).toFixed(0)} ms`,
        `${(memory.latest() / MIB).toFixed(0)} MiB`,
        result.slice(0, 120),
      ];
      console.log(`  | ${cells.join(" | ")} |`);
    }
    if (!target.program.isRunning()) {
      console.log(target.program.stderr().slice(-4_000));
      break;
    }
  }
  const attacked = machineTime();
  const rate = await fleet.stopChanges();
  const minutesOfMemory = memory.peaks();
  await fleet.settle(async () => (await compare()).every(isEqual));
  const last = await fleet.takeSamples();
  latencies.push(...last.latencies);
  takeLists(attacked, "after the attacks");
  const differences = await compare();
  const p99 = quantile(latencies, 0.99);
  printFigures("soak", [
    { name: "duration", value: (performance.now() - started) / MINUTE_MS, unit: "minutes" },
    { name: "changes of the other accounts together", value: rate, unit: "/s" },
    ...differences.map((each, index) => ({
      name: `rows of the account "${members[index]?.account}"`,
      value: formatDifferences(each),
      bound: { text: "no difference", holds: isEqual(each) },
    })),
    {
      name: "sampled changes without a row",
      value: last.waiting,
      bound: { text: "0", holds: last.waiting === 0 },
    },
    {
      name: `change to row, p50 of ${latencies.length} samples`,
      value: quantile(latencies, 0.5),
      unit: "ms",
    },
    {
      name: "change to row, p99",
      value: p99,
      unit: "ms",
      bound: { text: `<= ${MAX_P99_MS} ms`, holds: p99 <= MAX_P99_MS },
    },
    { name: "change to row, max", value: quantile(latencies, 1), unit: "ms" },
    { name: `slowest ListClusters (${slowest.attack})`, value: slowest.ms, unit: "ms" },
    {
      name: "failed calls of the other accounts",
      value: errors.length === 0 ? 0 : `${errors.length}: ${errors[0]}`,
      bound: { text: "0", holds: errors.length === 0 },
    },
    ...fleet.failures().map((value) => ({ name: "agent", value, bound: { text: "runs", holds: false } })),
    {
      name: "server",
      value: target.program.isRunning() ? "runs" : "has ended",
      bound: { text: "runs", holds: target.program.isRunning() },
    },
    ...toMemoryFigures(minutesOfMemory),
  ]);
}

/** The lists of the other accounts that ended in a time. */
interface Lists {
  readonly slowestMs: number;
  readonly errors: readonly string[];
}

function listsSince(target: Target, from: number): Lists {
  const samples = target.samples().filter((sample) => sample.to >= from);
  return {
    slowestMs: Math.max(0, ...samples.map((sample) => sample.to - sample.from)),
    errors: samples.flatMap(({ error }) => error ?? []),
  };
}

/** Reads the memory of the server every second, until it is disposed. */
function measureMemory({ program }: Target) {
  const bytes: number[] = [];
  const timer = setInterval(() => {
    if (program.isRunning()) {
      bytes.push(readProcessMemory(program.pid).residentBytes);
    }
  }, MEMORY_MS);
  return {
    latest: () => bytes.at(-1) ?? Number.NaN,
    /** Returns the highest memory of each minute, and of each third of the time. */
    peaks: () => ({
      minutes: sliceEvery(bytes, MINUTE_MS / MEMORY_MS).map((each) => Math.max(...each)),
      thirds: sliceEvery(bytes, Math.ceil(bytes.length / 3)).map((each) => Math.max(...each)),
    }),
    [Symbol.dispose]: () => clearInterval(timer),
  };
}

function sliceEvery<T>(values: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(values.length / size) }, (_, index) =>
    values.slice(index * size, (index + 1) * size),
  );
}

/** The memory is flat if the highest of the last third is at most 15 % above the highest of the first third. */
function toMemoryFigures({
  minutes,
  thirds,
}: {
  readonly minutes: readonly number[];
  readonly thirds: readonly number[];
}): Figure[] {
  const format = (values: readonly number[]): string =>
    values.map((value) => (value / MIB).toFixed(0)).join(", ");
  const isFlat = (thirds.at(-1) ?? Number.NaN) <= (thirds[0] ?? 0) * MAX_GROWTH;
  return [
    { name: "memory of the server, highest of each minute", value: format(minutes), unit: "MiB" },
    {
      name: `memory of the server, highest of each third: ${isFlat ? "flat" : "not flat"}`,
      value: format(thirds),
      unit: "MiB",
      bound: { text: `last <= ${MAX_GROWTH} x first`, holds: isFlat },
    },
  ];
}
