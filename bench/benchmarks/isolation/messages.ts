import { create } from "@bufbuild/protobuf";
import { BatchType } from "../../../gen/proto/evenkeel/v1/batch_pb.ts";
import { SyncRequestSchema } from "../../../gen/proto/evenkeel/v1/sync_service_pb.ts";
import { InvalidArgumentError } from "../../../src/lib/errors.ts";
import { createSeededRandom } from "../../../src/lib/random.ts";
import { createSyncClient } from "../../../src/rpc/client/sync-client.ts";
import { createHostileRequests, type HostileScope } from "../../support/isolation/hostile-messages.ts";
import type { Finding, IsolationCase } from "../../support/isolation/isolation-case.ts";
import { measureLoad } from "../../support/isolation/measure-load.ts";
import {
  formatAnswers,
  openConnection,
  type RawAnswer,
  sendConnect,
  sendGrpc,
} from "../../support/isolation/raw-requests.ts";
import { startTarget } from "../../support/isolation/target.ts";
import { PODS } from "../../support/tenant-bus.ts";
import type { World } from "../../support/world.ts";

/** Requests at a time. */
const SENDERS = 8;
/** Time after which no further request is sent. They are shuffled, so that each kind gets its share. */
const MAX_MS = 10_000;
const BAD_ITEMS = 1_000;

/** Messages that are expensive to read or to refuse. */
export const messageCases: readonly IsolationCase[] = [
  {
    row: 1,
    attack: "hostile messages to each method of queries, probes and reflection, with and without a token",
    bound: "G; the refusal arrives",
    run: (world) => sendHostile(world, "questions"),
  },
  {
    row: 1,
    attack: "the same, with a heap of 600 MB",
    bound: "G; the refusal arrives",
    run: (world) => sendHostile(world, "questions", 600),
  },
  {
    row: 1,
    attack: "hostile messages to Sync, with and without a token",
    bound: "G; the refusal arrives",
    run: (world) => sendHostile(world, "agents"),
  },
  {
    row: 1,
    attack: "the same, with a heap of 600 MB",
    bound: "G; the refusal arrives",
    run: (world) => sendHostile(world, "agents", 600),
  },
  {
    row: 3,
    attack: "1,000 bad items through the agent's client",
    bound: "permanent error, <= 20 violations, <= 4 KiB; G",
    run: sendBadItems,
  },
];

async function sendHostile(world: World, scope: HostileScope, heapMb?: number): Promise<Finding> {
  await using target = await startTarget(world, heapMb === undefined ? {} : { heapMb });
  const requests = shuffle([...createHostileRequests(scope, target.token)]);
  const total = requests.length;
  const { load, value: answers } = await measureLoad(target, async () => {
    const found: { readonly answer: RawAnswer; readonly label: string; readonly ms: number }[] = [];
    const deadline = performance.now() + MAX_MS;
    const send = async (): Promise<void> => {
      let session = await openConnection(target.url);
      const canSend = (): boolean => target.program.isRunning() && performance.now() < deadline;
      for (let next = requests.pop(); next && canSend(); next = requests.pop()) {
        if (session.closed || session.destroyed) {
          // It fails if the server has ended, which the load shows.
          session = await openConnection(target.url).catch(() => session);
        }
        const start = performance.now();
        const answer = await (next.protocol === "grpc"
          ? sendGrpc(session, next)
          : sendConnect(target.url, next));
        found.push({ answer, label: next.label, ms: performance.now() - start });
      }
      session.destroy();
    };
    await Promise.all(Array.from({ length: SENDERS }, send));
    return found;
  });
  const [slowest] = answers.toSorted((a, b) => b.ms - a.ms);
  const detail =
    `${answers.length.toLocaleString("en")} of ${total.toLocaleString("en")} requests: ` +
    `${formatAnswers(answers.map(({ answer }) => answer))}; ` +
    `slowest ${slowest?.ms.toFixed(0)} ms: ${slowest?.label}`;
  return { load, detail, holds: answers.every(({ answer }) => answer.type !== "none") };
}

function shuffle<T>(values: T[]): T[] {
  const random = createSeededRandom(1);
  return values
    .map((value) => ({ value, place: random.float() }))
    .toSorted((a, b) => a.place - b.place)
    .map(({ value }) => value);
}

async function sendBadItems(world: World): Promise<Finding> {
  await using target = await startTarget(world);
  const sync = createSyncClient(target.url, { read: () => target.token, isRenewable: false });
  const items = Array.from({ length: BAD_ITEMS }, () => ({}));
  const hello = { cluster: "bad", clusterUid: "uid of bad", instanceId: "agent", agentVersion: "bench" };
  const batch = { resourceType: PODS, type: BatchType.DEFAULT, items };
  const { load, value: error } = await measureLoad(target, async () => {
    try {
      const requests = (async function* () {
        yield create(SyncRequestSchema, { message: { case: "hello", value: hello } });
        yield create(SyncRequestSchema, { sequence: 1n, message: { case: "batch", value: batch } });
      })();
      for await (const _ of sync(AbortSignal.timeout(30_000), requests)) {
      }
      return undefined;
    } catch (cause) {
      return cause;
    }
  });
  if (!(error instanceof InvalidArgumentError)) {
    return { load, detail: `expected an InvalidArgumentError, found ${error}`, holds: false };
  }
  const { violations, message } = error;
  const detail = `InvalidArgumentError, ${violations.length} violations, ${message.length} characters`;
  return { load, detail, holds: violations.length <= 20 && Buffer.byteLength(message) <= 4096 };
}
