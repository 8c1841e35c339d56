import type { ClientHttp2Session } from "node:http2";
import { setTimeout as sleep } from "node:timers/promises";
import { create, toBinary } from "@bufbuild/protobuf";
import { SyncRequestSchema } from "../../../gen/proto/evenkeel/v1/sync_service_pb.ts";
import { beginGrpc, openConnection, type RawAnswer, readAnswer, toEnvelope } from "./raw-requests.ts";
import type { Target } from "./target.ts";

/** A method to call, with or without the attacker's token. */
export interface AttackedMethod {
  readonly path: string;
  readonly hasToken: boolean;
}

/** Methods that hold streams. */
export const HEALTH_CHECK: AttackedMethod = { path: "/grpc.health.v1.Health/Check", hasToken: false };
export const HEALTH_WATCH: AttackedMethod = { path: "/grpc.health.v1.Health/Watch", hasToken: false };
export const LIST_OBJECTS: AttackedMethod = {
  path: "/evenkeel.v1.FleetService/ListObjects",
  hasToken: true,
};
export const WATCH_RUNS: AttackedMethod = {
  path: "/evenkeel.v1.FleetService/WatchReconciliationRuns",
  hasToken: true,
};
export const SYNC: AttackedMethod = { path: "/evenkeel.v1.SyncService/Sync", hasToken: true };

/** Streams of one connection at a time. The server permits no more. */
const STREAMS = 100;
/** Time without an answer after which the streams without one count as accepted. */
const SETTLED_MS = 3_000;

/** Sends all but the last byte of each body, and waits until the server ends the calls. */
export async function sendUnfinished(
  target: Target,
  method: AttackedMethod,
  count: number,
  bytes: number,
): Promise<RawAnswer[]> {
  const session = await openConnection(target.url);
  const body = toEnvelope(Buffer.alloc(bytes - 1), false, bytes);
  const answers = await Promise.all(
    Array.from({ length: count }, async () => {
      const stream = beginGrpc(session, method.path, toHeaders(target, method));
      stream.write(body);
      return await readAnswer(stream);
    }),
  );
  session.destroy();
  return answers;
}

/**
 * Opens sessions of as many clusters, each with an unfinished message of this size. Returns after `ms` how many of them
 * are still open.
 */
export async function holdUnfinishedMessages(
  target: Target,
  count: number,
  bytes: number,
  ms: number,
): Promise<number> {
  const session = await openConnection(target.url);
  const rest = toEnvelope(Buffer.alloc(bytes - 1), false, bytes);
  const streams = Array.from({ length: count }, (_, index) => {
    const cluster = `cluster-${index}`;
    const value = { cluster, clusterUid: `uid-${cluster}`, instanceId: "agent", agentVersion: "bench" };
    const hello = create(SyncRequestSchema, { message: { case: "hello", value } });
    const stream = beginGrpc(session, SYNC.path, toHeaders(target, SYNC)).resume();
    stream.write(toEnvelope(toBinary(SyncRequestSchema, hello), false));
    stream.write(rest);
    return stream;
  });
  await sleep(ms);
  const open = streams.filter(({ closed }) => !closed).length;
  session.destroy();
  return open;
}

/** Watches that are open until they are disposed. */
export interface OpenedWatches extends Disposable {
  readonly accepted: number;
  /** Answers to those that the server has ended. */
  readonly answers: readonly RawAnswer[];
}

/** Opens watches, and waits until no further one is refused. */
export async function openWatches(
  target: Target,
  method: AttackedMethod,
  count: number,
): Promise<OpenedWatches> {
  const body = toEnvelope(new Uint8Array(), false);
  const sessions: ClientHttp2Session[] = [];
  const found: RawAnswer[] = [];
  for (let index = 0; index < count; index += 1) {
    if (index % STREAMS === 0) {
      sessions.push(await openConnection(target.url));
    }
    const stream = beginGrpc(sessions.at(-1) as ClientHttp2Session, method.path, toHeaders(target, method));
    stream.end(body);
    void readAnswer(stream).then((answer) => found.push(answer));
  }
  await untilSettled(found);
  const answers = [...found];
  return {
    accepted: count - answers.length,
    answers,
    [Symbol.dispose]() {
      for (const session of sessions) {
        session.destroy();
      }
    },
  };
}

/** Waits until no further answer arrives. A watch that is accepted gets none. */
async function untilSettled(answers: readonly RawAnswer[]): Promise<void> {
  for (let before = -1; before < answers.length || before === 0; ) {
    before = answers.length;
    await sleep(SETTLED_MS);
  }
}

function toHeaders({ token }: Target, { hasToken }: AttackedMethod): Readonly<Record<string, string>> {
  return hasToken ? { authorization: `Bearer ${token}` } : {};
}
