import type { ClientHttp2Session, ClientHttp2Stream } from "node:http2";
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
/** Time in which a stream that was not refused counts as accepted. */
const ACCEPTED_MS = 5_000;

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
  const open = (stream: ClientHttp2Stream): Promise<RawAnswer | undefined> => {
    const { promise, resolve } = Promise.withResolvers<undefined>();
    const timer = setTimeout(resolve, ACCEPTED_MS, undefined);
    return Promise.race([promise, readAnswer(stream)]).finally(() => clearTimeout(timer));
  };
  const { load, value: answers } = await measureLoad(target, async () => {
    const opened: Promise<RawAnswer | undefined>[] = [];
    for (let index = 0; index < count; index += 1) {
      if (index % 1_000 === 0) {
        sessions.push(await openConnection(target.url));
      }
      const stream = beginGrpc(sessions.at(-1) as ClientHttp2Session, path, toHeaders(target.token));
      stream.end(body);
      opened.push(open(stream));
    }
    return await Promise.all(opened);
  });
  for (const session of sessions) {
    session.destroy();
  }
  const accepted = answers.filter((answer) => answer === undefined).length;
  const refused = answers.filter((answer) => answer !== undefined && isExhausted(answer)).length;
  const detail = `${accepted.toLocaleString("en")} accepted, ${refused.toLocaleString("en")} RESOURCE_EXHAUSTED`;
  return { load, detail, holds: accepted <= max && accepted > 0 && accepted + refused === count };
}
