import type { ClientHttp2Session } from "node:http2";
import { setTimeout as sleep } from "node:timers/promises";
import { MAX_SYNC_REQUEST_BYTES } from "../../../src/domain/limits.ts";
import type { Finding, IsolationCase } from "../../support/isolation/isolation-case.ts";
import { measureLoad } from "../../support/isolation/measure-load.ts";
import {
  beginGrpc,
  formatAnswers,
  isExhausted,
  openConnection,
  type RawAnswer,
  readAnswer,
  toEnvelope,
} from "../../support/isolation/raw-requests.ts";
import { startTarget } from "../../support/isolation/target.ts";
import type { World } from "../../support/world.ts";

const BODIES = 100;
const BODY_BYTES = 8 * 1024 * 1024;
const QUESTION_BYTES = 64 * 1024;
/** Time limit of a body, and of an agent's first message, with a reserve. */
const MAX_BODY_SECONDS = 12;
const MAX_FIRST_MESSAGE_SECONDS = 17;
const HEALTH_WATCHES = 10_000;
const MAX_HEALTH_WATCHES = 1_000;
const RUN_WATCHES = 1_000;
const MAX_RUN_WATCHES = 20;
/** Time without an answer after which the streams without one count as accepted. */
const SETTLED_MS = 3_000;

/** Streams that stay open. */
export const streamCases: readonly IsolationCase[] = [
  {
    row: 2,
    attack: `${BODIES} unfinished bodies of 8 MiB for Health, without a token`,
    bound: "ended after 10 s; G",
    run: (world) =>
      sendUnfinished(world, "/grpc.health.v1.Health/Check", BODY_BYTES, MAX_BODY_SECONDS, () => ({})),
  },
  {
    row: 2,
    attack: `${BODIES} unfinished bodies of 64 KiB for FleetService, with a token`,
    bound: `ended after 10 s (here <= ${MAX_BODY_SECONDS}); G`,
    run: (world) =>
      sendUnfinished(
        world,
        "/evenkeel.v1.FleetService/ListObjects",
        QUESTION_BYTES,
        MAX_BODY_SECONDS,
        authorize,
      ),
  },
  {
    row: 2,
    attack: `${BODIES} unfinished messages of 6 MiB for Sync, with a token for all clusters`,
    bound: `ended after 15 s (here <= ${MAX_FIRST_MESSAGE_SECONDS}); G`,
    run: (world) =>
      sendUnfinished(
        world,
        "/evenkeel.v1.SyncService/Sync",
        MAX_SYNC_REQUEST_BYTES,
        MAX_FIRST_MESSAGE_SECONDS,
        authorize,
      ),
  },
  {
    row: 2,
    attack: "10,000 Health.Watch on 10 connections",
    bound: "refused from 1,001 on; G",
    run: (world) =>
      openWatches(world, "/grpc.health.v1.Health/Watch", HEALTH_WATCHES, MAX_HEALTH_WATCHES, () => ({})),
  },
  {
    row: 6,
    attack: "1,000 watches of runs with one token",
    bound: "refused from 21 on; G",
    run: (world) =>
      openWatches(
        world,
        "/evenkeel.v1.FleetService/WatchReconciliationRuns",
        RUN_WATCHES,
        MAX_RUN_WATCHES,
        authorize,
      ),
  },
];

type ToHeaders = (token: string) => Readonly<Record<string, string>>;

function authorize(token: string): Readonly<Record<string, string>> {
  return { authorization: `Bearer ${token}` };
}

/** Sends all but the last byte of each body, and waits until the server ends the calls. */
async function sendUnfinished(
  world: World,
  path: string,
  bytes: number,
  maxSeconds: number,
  toHeaders: ToHeaders,
): Promise<Finding> {
  await using target = await startTarget(world);
  const session = await openConnection(target.url);
  const body = toEnvelope(Buffer.alloc(bytes - 1), false, bytes);
  const { load, value: answers } = await measureLoad(target, () =>
    Promise.all(
      Array.from({ length: BODIES }, async () => {
        const stream = beginGrpc(session, path, toHeaders(target.token));
        stream.write(body);
        return await readAnswer(stream);
      }),
    ),
  );
  session.destroy();
  const isEnded = answers.every(({ type }) => type === "refused");
  return { load, detail: formatAnswers(answers), holds: isEnded && load.seconds <= maxSeconds };
}

/** Opens watches over connections of 1,000 streams, and counts those that are not refused. */
async function openWatches(
  world: World,
  path: string,
  count: number,
  max: number,
  toHeaders: ToHeaders,
): Promise<Finding> {
  await using target = await startTarget(world);
  const body = toEnvelope(new Uint8Array(), false);
  const sessions: ClientHttp2Session[] = [];
  const { load, value: answers } = await measureLoad(target, async () => {
    const found: RawAnswer[] = [];
    for (let index = 0; index < count; index += 1) {
      if (index % 1_000 === 0) {
        sessions.push(await openConnection(target.url));
      }
      const stream = beginGrpc(sessions.at(-1) as ClientHttp2Session, path, toHeaders(target.token));
      stream.end(body);
      void readAnswer(stream).then((answer) => found.push(answer));
    }
    await untilSettled(found);
    return [...found];
  });
  for (const session of sessions) {
    session.destroy();
  }
  const refused = answers.filter(isExhausted).length;
  const accepted = count - answers.length;
  const detail = `${accepted.toLocaleString("en")} accepted, ${refused.toLocaleString("en")} RESOURCE_EXHAUSTED`;
  return { load, detail, holds: accepted <= max && accepted > 0 && accepted + refused === count };
}

/** Waits until no further answer arrives. A watch that is accepted gets none. */
async function untilSettled(answers: readonly RawAnswer[]): Promise<void> {
  for (let before = -1; before < answers.length || before === 0; ) {
    before = answers.length;
    await sleep(SETTLED_MS);
  }
}
