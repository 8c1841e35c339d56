import { setTimeout as sleep } from "node:timers/promises";
import { MAX_SYNC_REQUEST_BYTES } from "../../../src/domain/limits.ts";
import { toMessage } from "../../../src/lib/errors.ts";
import { sendDigits } from "../isolation/digits.ts";
import { HELD_CONNECTIONS, holdConnections } from "../isolation/hold-connections.ts";
import {
  type AttackedMethod,
  HEALTH_CHECK,
  HEALTH_WATCH,
  LIST_OBJECTS,
  openWatches,
  SYNC,
  sendUnfinished,
  WATCH_RUNS,
} from "../isolation/hold-streams.ts";
import { fillLargeObjects, type LargeObjects, readLargeObjects } from "../isolation/large-pages.ts";
import { lockCluster } from "../isolation/lock-cluster.ts";
import { formatAnswers, isExhausted } from "../isolation/raw-requests.ts";
import { floodReadiness, openSessions } from "../isolation/repeat-requests.ts";
import { sendBadItems } from "../isolation/send-bad-items.ts";
import { prepareHostile } from "../isolation/send-hostile.ts";
import { startAgent } from "../isolation/start-agent.ts";
import type { Target } from "../isolation/target.ts";
import type { World } from "../world.ts";

/** One kind of misbehavior. It ends by itself, within a minute. */
export interface Attack {
  readonly name: string;
  /** Returns the effect on the attacker, for people. */
  run(round: number): Promise<string>;
}

const MIB = 1024 * 1024;
const LARGE: LargeObjects = { cluster: "large", rows: 60, repeats: 700_000 };
const MANY: LargeObjects = { cluster: "many", rows: 20, repeats: 200_000 };
const READERS = 8;
const LOCKED_MS = 15_000;
const UNREADABLE_TYPES = 300;
const UNREADABLE_MS = 15_000;

/** Prepares the attacks of one account, in the order of a round. The programs that they start end with `stack`. */
export async function prepareAttacks(
  world: World,
  target: Target,
  stack: AsyncDisposableStack,
): Promise<readonly Attack[]> {
  await fillLargeObjects(target, LARGE);
  await fillLargeObjects(target, MANY);
  const mapApi = stack.use(await world.startApi());
  const mapAgent = await startAgent(target, mapApi.url, "configmaps");
  const typeApi = stack.use(await world.startApi());
  await typeApi.define(UNREADABLE_TYPES, true);

  const unfinished = (name: string, method: AttackedMethod, bytes: number): Attack => ({
    name: `100 unfinished bodies for ${name}`,
    run: async () => formatAnswers(await sendUnfinished(target, method, 100, bytes)),
  });
  const watches = (name: string, method: AttackedMethod, count: number): Attack => ({
    name: `${count.toLocaleString("en")} ${name}`,
    async run() {
      using opened = await openWatches(target, method, count);
      return `${opened.accepted} accepted, ${opened.answers.filter(isExhausted).length} RESOURCE_EXHAUSTED`;
    },
  });
  const pages = (name: string, large: LargeObjects, readers: number): Attack => ({
    name,
    async run() {
      const read = await readLargeObjects(target, large, readers);
      return `${read.reduce((sum, { objects }) => sum + objects, 0)} rows read`;
    },
  });
  const hostile = (name: string, scope: "questions" | "agents"): Attack => ({
    name: `hostile messages to ${name}`,
    run: async () => formatAnswers((await prepareHostile(target, scope).send()).map(({ answer }) => answer)),
  });

  return [
    hostile("queries, probes and reflection", "questions"),
    hostile("Sync", "agents"),
    { name: "1,000 bad items", run: async () => toMessage(await sendBadItems(target, 1_000)) },
    unfinished("Health", HEALTH_CHECK, 8 * MIB),
    unfinished("queries", LIST_OBJECTS, 64 * 1024),
    unfinished("Sync", SYNC, MAX_SYNC_REQUEST_BYTES),
    watches("Health.Watch", HEALTH_WATCH, 10_000),
    watches("watches of runs", WATCH_RUNS, 1_000),
    pages(`pages of ${LARGE.rows} x 3.5 MB, one reader`, LARGE, 1),
    pages(`pages of ${MANY.rows} x 1 MB, ${READERS} readers`, MANY, READERS),
    {
      name: `${HELD_CONNECTIONS.toLocaleString("en")} idle or dripping connections`,
      run: async () => `${await holdConnections(target)} open at the end`,
    },
    {
      name: "27,000 requests of /readyz in 8 s",
      run: async () => `${await floodReadiness(target, 27_000, 8_000)} answered`,
    },
    {
      name: "50 clients that open sessions for 5 s",
      async run() {
        const { exhausted, failed } = await openSessions(target, 5_000);
        return `${exhausted} RESOURCE_EXHAUSTED, ${failed} other errors`;
      },
    },
    {
      name: `row lock on its cluster for ${LOCKED_MS / 1_000} s`,
      async run() {
        await using locked = await lockCluster(target);
        await using _waiting = locked.changeAndConnect();
        await sleep(LOCKED_MS);
        return "released";
      },
    },
    {
      name: "ConfigMaps of 250,000 and 1,000,000 digits",
      async run(round) {
        const { rowsMs } = await sendDigits(target, mapApi, mapAgent, round);
        return `rows after ${rowsMs.toFixed(0)} ms`;
      },
    },
    {
      name: `an agent with ${UNREADABLE_TYPES} unreadable types for ${UNREADABLE_MS / 1_000} s`,
      async run() {
        const agent = await startAgent(target, typeApi.url, "*", "unreadable");
        await sleep(UNREADABLE_MS);
        await agent.end("SIGTERM");
        return `${(agent.stdout() + agent.stderr()).length.toLocaleString("en")} bytes of logs`;
      },
    },
  ];
}
