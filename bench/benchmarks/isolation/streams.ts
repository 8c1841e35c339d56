import { MAX_SYNC_REQUEST_BYTES } from "../../../src/domain/limits.ts";
import {
  type AttackedMethod,
  HEALTH_CHECK,
  HEALTH_WATCH,
  holdUnfinishedMessages,
  LIST_OBJECTS,
  openWatches,
  SYNC,
  sendUnfinished,
  WATCH_RUNS,
} from "../../support/isolation/hold-streams.ts";
import type { Finding, IsolationCase } from "../../support/isolation/isolation-case.ts";
import { measureLoad } from "../../support/isolation/measure-load.ts";
import { formatAnswers, isExhausted } from "../../support/isolation/raw-requests.ts";
import { startTarget } from "../../support/isolation/target.ts";
import type { World } from "../../support/world.ts";

const BODIES = 100;
const SMALL_MEMORY = "512MiB";
const HELD_MS = 15_000;
const BODY_BYTES = 8 * 1024 * 1024;
const QUESTION_BYTES = 64 * 1024;
/** Time limit of a body, and of an agent's first message, with a reserve. */
const MAX_BODY_SECONDS = 12;
const MAX_FIRST_MESSAGE_SECONDS = 17;
const HEALTH_WATCHES = 10_000;
const MAX_HEALTH_WATCHES = 1_000;
const RUN_WATCHES = 1_000;
const MAX_RUN_WATCHES = 20;

/** Streams that stay open. */
export const streamCases: readonly IsolationCase[] = [
  {
    row: 2,
    attack: `${BODIES} unfinished bodies of 8 MiB for Health, without a token`,
    bound: "ended after 10 s; G",
    run: (world) => measureUnfinished(world, HEALTH_CHECK, BODY_BYTES, MAX_BODY_SECONDS),
  },
  {
    row: 2,
    attack: `${BODIES} unfinished bodies of 64 KiB for FleetService, with a token`,
    bound: `ended after 10 s (here <= ${MAX_BODY_SECONDS}); G`,
    run: (world) => measureUnfinished(world, LIST_OBJECTS, QUESTION_BYTES, MAX_BODY_SECONDS),
  },
  {
    row: 2,
    attack: `${BODIES} unfinished first messages of 6 MiB for Sync, with a token for all clusters`,
    bound: `ended after 15 s (here <= ${MAX_FIRST_MESSAGE_SECONDS}); G`,
    run: (world) => measureUnfinished(world, SYNC, MAX_SYNC_REQUEST_BYTES, MAX_FIRST_MESSAGE_SECONDS),
  },
  {
    row: 2,
    attack: `sessions of ${BODIES} clusters, each with an unfinished message of 6 MiB; --memory-limit ${SMALL_MEMORY}`,
    bound: "G",
    run: measureUnfinishedMessages,
  },
  {
    row: 2,
    attack: "10,000 Health.Watch on 100 connections",
    bound: "refused from 1,001 on; G",
    run: (world) => measureWatches(world, HEALTH_WATCH, HEALTH_WATCHES, MAX_HEALTH_WATCHES),
  },
  {
    row: 6,
    attack: "1,000 watches of runs with one token",
    bound: "refused from 21 on; G",
    run: (world) => measureWatches(world, WATCH_RUNS, RUN_WATCHES, MAX_RUN_WATCHES),
  },
];

async function measureUnfinished(
  world: World,
  method: AttackedMethod,
  bytes: number,
  maxSeconds: number,
): Promise<Finding> {
  await using target = await startTarget(world);
  const { load, value: answers } = await measureLoad(target, () =>
    sendUnfinished(target, method, BODIES, bytes),
  );
  const isEnded = answers.every(({ type }) => type === "refused");
  return { load, detail: formatAnswers(answers), holds: isEnded && load.seconds <= maxSeconds };
}

async function measureUnfinishedMessages(world: World): Promise<Finding> {
  await using target = await startTarget(world, { flags: ["--memory-limit", SMALL_MEMORY] });
  const { load, value: open } = await measureLoad(target, () =>
    holdUnfinishedMessages(target, BODIES, MAX_SYNC_REQUEST_BYTES, HELD_MS),
  );
  return { load, detail: `${open} open after ${HELD_MS / 1_000} s`, holds: open > 0 };
}

async function measureWatches(
  world: World,
  method: AttackedMethod,
  count: number,
  max: number,
): Promise<Finding> {
  await using target = await startTarget(world);
  const { load, value } = await measureLoad(target, () => openWatches(target, method, count));
  using watches = value;
  const { accepted, answers } = watches;
  const refused = answers.filter(({ type }) => type === "refused").length;
  const exhausted = answers.filter(isExhausted).length;
  const detail =
    `${accepted.toLocaleString("en")} accepted, ${exhausted.toLocaleString("en")} RESOURCE_EXHAUSTED, ` +
    `${(refused - exhausted).toLocaleString("en")} not begun`;
  return { load, detail, holds: accepted <= max && accepted > 0 && accepted + refused === count };
}
