import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import {
  BatchSchema,
  ReconciliationTrigger,
  RunRefSchema,
} from "../../../../gen/proto/evenkeel/v1/batch_pb.ts";
import { ResourceReconciledSchema } from "../../../../gen/proto/evenkeel/v1/reconciliation_pb.ts";
import { ResourceTypeSchema } from "../../../../gen/proto/evenkeel/v1/resource_pb.ts";
import { ResourceScopeSchema } from "../../../../gen/proto/evenkeel/v1/scope_pb.ts";
import {
  AcknowledgementSchema,
  DrainSchema,
  HelloSchema,
  type SyncRequest,
  type SyncResponse,
  SyncResponseSchema,
  type Welcome,
  WelcomeSchema,
} from "../../../../gen/proto/evenkeel/v1/sync_service_pb.ts";
import { putItem } from "../../../../src/agent/uplink/batch-items.ts";
import { Outbox } from "../../../../src/agent/uplink/outbox.ts";
import { runSession, type UplinkSession } from "../../../../src/agent/uplink/session.ts";
import { RetryableError } from "../../../../src/lib/errors.ts";
import { AgentWorld } from "../../../support/agent/agent-world.ts";
import { ManualClock } from "../../../support/manual-clock.ts";

const CONNECT = ReconciliationTrigger.CONNECT;

describe("a session", () => {
  it("reads acknowledgements while comparisons wait for room (R32)", async () => {
    const tight = { maxPendingBytes: 500, batch: { maxItems: 2, maxBytes: 1_000 } };
    await using world = new AgentWorld({}, tight);
    world.backend.maxUnacknowledgedBytes = 500n;
    const names = Array.from({ length: 100 }, (_, i) => `c${i}`);
    for (const name of names) {
      world.configMap(name, "1");
    }
    await world.start();
    world.backend.ask("configmaps", { trigger: CONNECT });
    await world.advance(5_000);
    await world.stop();
    for (const name of names) {
      world.cluster.delete("configmaps", "default", name);
    }
    await world.start();
    world.backend.ask("configmaps", { trigger: CONNECT, chunkSize: 3 });
    await world.advance(5_000);
    expect(world.backend.reconciled.at(-1)).toMatchObject({ deleted: 100n });
    expect(world.backend.contents("configmaps")).toEqual({});
  });

  it("reads acknowledgements behind a batch that comes while others wait for room (R32)", async () => {
    await using world = new AgentWorld({}, { maxPendingBytes: 500, batch: { maxItems: 2, maxBytes: 1_000 } });
    world.backend.maxUnacknowledgedBytes = 500n;
    for (let index = 0; index < 30; index += 1) {
      world.configMap(`c${index}`, "1");
    }
    await world.start();
    world.backend.holdAcknowledgements = true;
    world.backend.ask("configmaps");
    await world.advance(2_000);
    world.backend.ask("configmaps");
    await world.advance(2_000);
    world.backend.holdAcknowledgements = false;
    world.backend.acknowledge();
    await world.advance(20_000);
    expect(world.backend.contents("configmaps")).toEqual(world.truth());
  });
});

const MIB = 1024 * 1024;
const PODS = create(ResourceTypeSchema, { version: "v1", resource: "pods" });
const never = new AbortController().signal;

function welcome(maxUnacknowledgedBytes?: bigint): SyncResponse["message"] {
  const limits = maxUnacknowledgedBytes === undefined ? {} : { limits: { maxUnacknowledgedBytes } };
  return { case: "welcome", value: create(WelcomeSchema, { epoch: 3n, ...limits }) };
}

function drain(seconds?: bigint): SyncResponse["message"] {
  const value = create(DrainSchema, seconds === undefined ? {} : { retryAfter: { seconds } });
  return { case: "drain", value };
}

/** Runs a session whose backend answers with the messages, and then ends the stream. */
async function runWith(answers: readonly SyncResponse["message"][]) {
  const clock = new ManualClock();
  const batch = { maxItems: 10, maxBytes: 10 * MIB };
  const outbox = new Outbox({ clock, batch, maxPendingBytes: 100 * MIB });
  outbox.declareScope({
    resources: [create(ResourceScopeSchema, { resourceType: PODS })],
    namespaces: [],
  });
  const content = {
    content: new Uint8Array(MIB - 1_000),
    checksum: new Uint8Array(32),
    contentFormat: "f",
    quarantineReason: "",
  };
  for (let at = 0; at < 20; at++) {
    const metadata = { name: `x${at}`, namespace: "a", uid: "u", resourceVersion: "1" };
    const resourceType = { ...PODS, version: `v${at}` };
    const item = putItem({ metadata }, content, "1");
    outbox.offer({ resourceType, incarnation: undefined, item, traceParent: "" });
  }
  const sent: SyncRequest[] = [];
  const welcomes: Welcome[] = [];
  const acknowledged: bigint[] = [];
  const sessions: UplinkSession[] = [];
  const result = await runSession(never, never, {
    clock,
    outbox,
    hello: create(HelloSchema, { cluster: "test" }),
    welcomeMs: 1_000,
    openSync: async function* (signal, requests) {
      const reading = (async () => {
        for await (const request of requests) {
          sent.push(request);
        }
      })();
      reading.catch(() => {});
      for (const message of answers) {
        await new Promise(setImmediate);
        yield create(SyncResponseSchema, { message });
      }
      await new Promise(setImmediate);
      signal.throwIfAborted();
    },
    onBatch: (session) => void sessions.push(session),
    onStandby: () => {},
    onWelcome: (message) => void welcomes.push(message),
    onAcknowledged: (sequence) => void acknowledged.push(sequence),
    onRefused: () => {},
  });
  return { result, sent, welcomes, acknowledged, sessions };
}

/** Returns the MiB of content that were sent. */
function contentsOf(sent: readonly SyncRequest[]): number {
  return sent.filter(({ message }) => message.case === "batch").length;
}

describe("the end of a session", () => {
  it("comes with the delay of the backend's Drain, before and after Welcome", async () => {
    expect((await runWith([drain(7n)])).result).toBe(7_000);
    expect((await runWith([welcome(), drain(7n)])).result).toBe(7_000);
    expect((await runWith([welcome(), drain()])).result).toBe(0);
  });

  it("comes without a delay when the stream ends", async () => {
    const { result, welcomes } = await runWith([welcome()]);
    expect(result).toBe(0);
    expect(welcomes).toMatchObject([{ epoch: 3n }]);
  });

  it.each<[string, SyncResponse["message"][]]>([
    ["expected Welcome, found the end of the stream", []],
    ["expected Welcome, found acknowledgement", [acknowledgement(1n)]],
    ["expected Welcome, found an unknown message", [{ case: undefined }]],
    ["found an unknown message", [welcome(), { case: undefined }]],
    ["found welcome", [welcome(), welcome()]],
  ])("is retried after %s", async (message, answers) => {
    const ended = runWith(answers);
    await expect(ended).rejects.toThrow(message);
    await expect(ended).rejects.toBeInstanceOf(RetryableError);
  });

  it("is the end of what comparisons send for it", async () => {
    const batch = create(BatchSchema, { resourceType: PODS });
    const { sessions } = await runWith([welcome(), { case: "batch", value: batch }]);
    const [session] = sessions;
    expect([session?.epoch, session?.scopeGeneration, session?.nextSequence]).toEqual([3n, 1n, 6n]);
    expect(session?.signal.aborted).toBe(true);
    expect(() => session?.sendRunBatch(batch)).toThrow("the session has ended");
    const [run, end] = [create(RunRefSchema), create(ResourceReconciledSchema)];
    expect(() => session?.sendEnd(run, end)).toThrow("the session has ended");
  });
});

describe("the bytes without acknowledgement", () => {
  it.each([
    ["are at most 4 MiB without a limit of the backend", undefined, 4],
    ["are at most 4 MiB with a limit of 0", 0n, 4],
    ["are at most 4 MiB with a higher limit of the backend", BigInt(100 * MIB), 4],
    ["are at most the limit of the backend, if that is lower", BigInt(2 * MIB), 2],
  ])("%s", async (_, limit, expected) => {
    const { sent } = await runWith([welcome(limit)]);
    expect(contentsOf(sent)).toBe(expected);
  });

  it("leave room again with each acknowledgement", async () => {
    const { sent, acknowledged } = await runWith([welcome(BigInt(2 * MIB)), acknowledgement(3n)]);
    expect(contentsOf(sent)).toBe(4);
    expect(acknowledged).toEqual([3n]);
  });
});

function acknowledgement(sequence: bigint): SyncResponse["message"] {
  return { case: "acknowledgement", value: create(AcknowledgementSchema, { sequence }) };
}
