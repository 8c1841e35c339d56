import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { BatchSchema, BatchType } from "../../../gen/proto/evenkeel/v1/batch_pb.ts";
import { SyncRequestSchema, SyncResponseSchema } from "../../../gen/proto/evenkeel/v1/sync_service_pb.ts";
import { toContent } from "../../../src/agent/object-content.ts";
import { putItem } from "../../../src/agent/uplink/batch-items.ts";
import { PODS } from "../tenant-bus.ts";
import { beginGrpc, openConnection, toEnvelope } from "./raw-requests.ts";

/*
 * Program of many agents, each with a connection and a cluster of its own. Each opens a session. At SIGUSR2, each
 * sends a scope and 8 MiB of objects. It prints a line of JSON each
 * second: the sessions that are open, those that ended, and the agents whose messages are all acknowledged.
 *
 * The messages are the same for all agents, so that this process holds them once.
 */
const [url = "", count = "0"] = process.argv.slice(2);
const PATH = "/evenkeel.v1.SyncService/Sync";
/** Opened at a time, below the rate at which an account may open sessions. */
const OPENING = 40;
const OPEN_EVERY_MS = 1_000;
/** Range of the delays before a reconnect, each twice as long as the one before. */
const [MIN_RECONNECT_MS, MAX_RECONNECT_MS] = [1_000, 30_000];
const OBJECTS = 16;
const OBJECT_BYTES = 16 * 1024;
const BATCHES = 32;

type Message = NonNullable<MessageInitShape<typeof SyncRequestSchema>["message"]>;
type AgentState = "opening" | "open" | "acknowledged" | "ended";

const toFrame = (sequence: bigint, message: Message): Buffer =>
  toEnvelope(toBinary(SyncRequestSchema, create(SyncRequestSchema, { sequence, message })), false);

/** Contents that do not compress well, as in ConfigMaps with certificates. */
const createBatch = (first: number) => {
  const items = Array.from({ length: OBJECTS }, (_, index) => {
    const name = `pod-${first + index}`;
    const text = randomBytes(OBJECT_BYTES / 2).toString("hex");
    const metadata = { namespace: "a", name, uid: `uid-${name}`, resourceVersion: "1" };
    const object = { apiVersion: "v1", kind: "Pod", metadata, data: { text } };
    return putItem(object, toContent(object, "bench"), "1");
  });
  return create(BatchSchema, { resourceType: PODS, type: BatchType.DEFAULT, items });
};

const scope: Message = {
  case: "scopeDeclared",
  value: { generation: 1n, resources: [{ resourceType: PODS }] },
};
const messages: readonly Message[] = Array.from({ length: BATCHES }, (_, index) => ({
  case: "batch",
  value: createBatch(index * OBJECTS),
}));
const frames = [scope, ...messages].map((message, index) => toFrame(BigInt(index + 1), message));
const last = BigInt(frames.length);

const states: AgentState[] = [];
let reconnects = 0;
const mayBeginToSend = Promise.withResolvers<void>();
process.once("SIGUSR2", () => mayBeginToSend.resolve());
setInterval(report, 1_000);

for (let opened = 0; opened < Number(count); opened += OPENING) {
  const batch = Array.from({ length: Math.min(OPENING, Number(count) - opened) }, (_, at) => opened + at);
  await Promise.all([...batch.map(connectAgent), sleep(OPEN_EVERY_MS)]);
}

/** Opens a session, and another one after its end. Returns when the first one is open or has ended. */
async function connectAgent(index: number): Promise<void> {
  const { promise: isOpen, resolve } = Promise.withResolvers<void>();
  void (async () => {
    for (let delayMs = MIN_RECONNECT_MS; ; delayMs = Math.min(2 * delayMs, MAX_RECONNECT_MS)) {
      await openAgent(index, resolve);
      states[index] = "ended";
      reconnects += 1;
      resolve();
      await sleep(delayMs * (0.5 + Math.random()));
    }
  })();
  await isOpen;
}

/** Opens a session. Returns at its end. */
async function openAgent(index: number, onOpen: () => void): Promise<void> {
  states[index] = "opening";
  const session = await openConnection(url);
  const stream = beginGrpc(session, PATH);
  let rest = Buffer.alloc(0);
  stream.on("data", (chunk: Buffer) => {
    rest = Buffer.concat([rest, chunk]);
    while (rest.length >= 5 && rest.length >= 5 + rest.readUInt32BE(1)) {
      const end = 5 + rest.readUInt32BE(1);
      const { message } = fromBinary(SyncResponseSchema, rest.subarray(5, end));
      rest = rest.subarray(end);
      if (message.case === "welcome") {
        states[index] = "open";
        onOpen();
        void mayBeginToSend.promise.then(() => frames.forEach((frame) => void stream.write(frame)));
      } else if (message.case === "acknowledgement" && message.value.sequence === last) {
        states[index] = "acknowledged";
      }
    }
  });
  const cluster = `cluster-${index}`;
  const hello = {
    cluster,
    clusterUid: `uid-${cluster}`,
    instanceId: `agent-${index}`,
    agentVersion: "bench",
  };
  stream.write(toFrame(0n, { case: "hello", value: hello }));
  await once(stream, "close");
  session.destroy();
}

function report(): void {
  const count = (state: AgentState): number => states.filter((found) => found === state).length;
  const line = {
    opening: count("opening"),
    open: count("open"),
    acknowledged: count("acknowledged"),
    ended: count("ended"),
    reconnects,
  };
  process.stdout.write(`${JSON.stringify(line)}\n`);
}
