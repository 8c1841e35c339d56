import { InvalidArgumentError } from "../../../src/lib/errors.ts";
import type { HostileScope } from "../../support/isolation/hostile-messages.ts";
import type { Finding, IsolationCase } from "../../support/isolation/isolation-case.ts";
import { measureLoad } from "../../support/isolation/measure-load.ts";
import { formatAnswers } from "../../support/isolation/raw-requests.ts";
import { sendBadItems } from "../../support/isolation/send-bad-items.ts";
import { prepareHostile } from "../../support/isolation/send-hostile.ts";
import { startTarget } from "../../support/isolation/target.ts";
import type { World } from "../../support/world.ts";

const BAD_ITEMS = 1_000;

/** Messages that are expensive to read or to refuse. */
export const messageCases: readonly IsolationCase[] = [
  {
    row: 1,
    attack: "hostile messages to each method of queries, probes and reflection, with and without a token",
    bound: "G; the refusal arrives",
    run: (world) => measureHostile(world, "questions"),
  },
  {
    row: 1,
    attack: "the same, with a heap of 600 MB",
    bound: "G; the refusal arrives",
    run: (world) => measureHostile(world, "questions", 600),
  },
  {
    row: 1,
    attack: "hostile messages to Sync, with and without a token",
    bound: "G; the refusal arrives",
    run: (world) => measureHostile(world, "agents"),
  },
  {
    row: 1,
    attack: "the same, with a heap of 600 MB",
    bound: "G; the refusal arrives",
    run: (world) => measureHostile(world, "agents", 600),
  },
  {
    row: 3,
    attack: "1,000 bad items through the agent's client",
    bound: "permanent error, <= 20 violations, <= 4 KiB; G",
    run: measureBadItems,
  },
];

async function measureHostile(world: World, scope: HostileScope, heapMb?: number): Promise<Finding> {
  await using target = await startTarget(world, heapMb === undefined ? {} : { heapMb });
  const hostile = prepareHostile(target, scope);
  const { load, value: answers } = await measureLoad(target, () => hostile.send());
  const [slowest] = answers.toSorted((a, b) => b.ms - a.ms);
  const detail =
    `${answers.length.toLocaleString("en")} of ${hostile.total.toLocaleString("en")} requests: ` +
    `${formatAnswers(answers.map(({ answer }) => answer))}; ` +
    `slowest ${slowest?.ms.toFixed(0)} ms: ${slowest?.label}`;
  return { load, detail, holds: answers.every(({ answer }) => answer.type !== "none") };
}

async function measureBadItems(world: World): Promise<Finding> {
  await using target = await startTarget(world);
  const { load, value: error } = await measureLoad(target, () => sendBadItems(target, BAD_ITEMS));
  if (!(error instanceof InvalidArgumentError)) {
    return { load, detail: `expected an InvalidArgumentError, found ${error}`, holds: false };
  }
  const { violations, message } = error;
  const detail = `InvalidArgumentError, ${violations.length} violations, ${message.length} characters`;
  return { load, detail, holds: violations.length <= 20 && Buffer.byteLength(message) <= 4096 };
}
