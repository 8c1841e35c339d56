import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { BatchSchema, RunRefSchema } from "../../../../gen/proto/evenkeel/v1/batch_pb.ts";
import { ResourceReconciledSchema } from "../../../../gen/proto/evenkeel/v1/reconciliation_pb.ts";
import { type ResourceType, ResourceTypeSchema } from "../../../../gen/proto/evenkeel/v1/resource_pb.ts";
import { ResourceScopeSchema } from "../../../../gen/proto/evenkeel/v1/scope_pb.ts";
import type { SyncRequest } from "../../../../gen/proto/evenkeel/v1/sync_service_pb.ts";
import { putItem } from "../../../../src/agent/uplink/batch-items.ts";
import { Outbox } from "../../../../src/agent/uplink/outbox.ts";
import { RetryableError } from "../../../../src/lib/errors.ts";
import { ManualClock } from "../../../support/manual-clock.ts";

const PODS = create(ResourceTypeSchema, { version: "v1", resource: "pods" });
const NODES = create(ResourceTypeSchema, { version: "v1", resource: "nodes" });
const LIMITS = {
  clock: new ManualClock(),
  batch: { maxItems: 10, maxBytes: 10_000 },
  maxPendingBytes: 2_000,
};
const SESSION = { epoch: 7n, maxUnacknowledgedBytes: 100_000 };

function offer(outbox: Outbox, name: string, bytes = 10, resourceType: ResourceType = PODS): void {
  const content = {
    content: new Uint8Array(bytes),
    checksum: new Uint8Array(32),
    contentFormat: "f",
    quarantineReason: "",
  };
  const metadata = { name, namespace: "a", uid: "u", resourceVersion: "1" };
  const item = putItem({ metadata }, content, "1");
  outbox.offer({ resourceType, incarnation: undefined, item, traceParent: "" });
}

function declare(outbox: Outbox): void {
  const resources = [PODS, NODES].map((resourceType) => create(ResourceScopeSchema, { resourceType }));
  outbox.declareScope({ resources, namespaces: [] });
}

/** Opens a session, takes its messages, and keeps them and the errors that end it. */
function openSession(outbox: Outbox) {
  const taken: SyncRequest[] = [];
  const ends: Error[] = [];
  const abort = new AbortController();
  const stop = new AbortController();
  outbox.openSession(SESSION, (error) => void ends.push(error));
  const ended = (async () => {
    for await (const request of outbox.take(abort.signal, stop.signal)) {
      taken.push(request);
    }
  })();
  return { taken, ends, abort, stop, ended };
}

/** Returns true if the promise is still pending after all work that needs no time. */
async function isPending(promise: Promise<unknown>): Promise<boolean> {
  let settled = false;
  const settle = (): void => {
    settled = true;
  };
  void promise.then(settle, settle);
  await new Promise(setImmediate);
  return !settled;
}

const never = new AbortController().signal;

describe("an outbox", () => {
  it("has room until the limit is pending, and again when a session takes the messages", async () => {
    const outbox = new Outbox(LIMITS);
    declare(outbox);
    await outbox.whenRoom(never, () => {});
    offer(outbox, "x", LIMITS.maxPendingBytes);
    const room = outbox.whenRoom(never, () => {});
    expect(await isPending(room)).toBe(true);
    const { abort, ended } = openSession(outbox);
    await room;
    abort.abort(new Error("the test has ended"));
    await expect(ended).rejects.toThrow("the test has ended");
  });

  it("gives room to those that wait one after the other, and not to all of them at once (L35)", async () => {
    const outbox = new Outbox(LIMITS);
    declare(outbox);
    offer(outbox, "x", LIMITS.maxPendingBytes);
    let added = 0;
    for (let waiting = 0; waiting < 10; waiting++) {
      void outbox
        .whenRoom(never, () => {
          added++;
          offer(outbox, `y${waiting}`, LIMITS.maxPendingBytes);
        })
        .catch(() => {});
    }
    outbox.dropPuts("pods");
    await new Promise(setImmediate);
    expect(added).toBe(1);
  });

  it("adds nothing for a caller that is aborted when there is room (R16)", async () => {
    const outbox = new Outbox(LIMITS);
    offer(outbox, "x", LIMITS.maxPendingBytes);
    const caller = new AbortController();
    let isAdded = false;
    const room = outbox.whenRoom(caller.signal, () => {
      isAdded = true;
    });
    await new Promise(setImmediate);
    outbox.dropPuts("pods");
    caller.abort(new Error("stopped"));
    await expect(room).rejects.toThrow("stopped");
    expect(isAdded).toBe(false);
  });

  it("has no room for a caller that was aborted", async () => {
    const outbox = new Outbox(LIMITS);
    const aborted = AbortSignal.abort(new Error("stopped"));
    await expect(outbox.whenRoom(aborted, () => {})).rejects.toThrow("stopped");
  });

  it("has room again when the puts of a reflector are dropped (R30)", async () => {
    const outbox = new Outbox(LIMITS);
    offer(outbox, "x", LIMITS.maxPendingBytes);
    const room = outbox.whenRoom(never, () => {});
    expect(await isPending(room)).toBe(true);
    outbox.dropPuts("pods");
    await room;
  });

  it("ends the session if dropped puts are on their way, and only then (R30)", async () => {
    const outbox = new Outbox(LIMITS);
    declare(outbox);
    offer(outbox, "x");
    const { ends, taken, abort, ended } = openSession(outbox);
    await isPending(ended);
    expect(taken).toHaveLength(2);
    outbox.dropPuts("nodes");
    expect(ends).toEqual([]);
    outbox.dropPuts("pods");
    expect(ends).toEqual([expect.any(RetryableError)]);
    expect(ends[0]?.message).toContain("pods");
    abort.abort();
    await expect(ended).rejects.toThrow();
  });

  it("renews the session of the epoch that is asked for, and no other", () => {
    const outbox = new Outbox(LIMITS);
    expect(outbox.epoch).toBe(0n);
    outbox.renewSession(0n, "before the first session");
    const ends: Error[] = [];
    outbox.openSession(SESSION, (error) => void ends.push(error));
    expect(outbox.epoch).toBe(7n);
    outbox.renewSession(6n, "an earlier session");
    expect(ends).toEqual([]);
    outbox.renewSession(7n, "a restored etcd");
    expect(ends).toMatchObject([{ message: "session: a restored etcd" }]);
    expect(ends[0]).toBeInstanceOf(RetryableError);
  });

  it("sends a scope that is declared while nothing is to be sent", async () => {
    const outbox = new Outbox(LIMITS);
    const { taken, abort, ended } = openSession(outbox);
    expect(await isPending(ended)).toBe(true);
    declare(outbox);
    await isPending(ended);
    expect(taken.map(({ message }) => message.case)).toEqual(["scopeDeclared"]);
    abort.abort();
    await expect(ended).rejects.toThrow();
  });

  it("sends the answers to runs that are offered while nothing is to be sent", async () => {
    const outbox = new Outbox(LIMITS);
    declare(outbox);
    const { taken, abort, ended } = openSession(outbox);
    await isPending(ended);
    outbox.offerRunBatch(create(BatchSchema, { resourceType: PODS, run: { runId: "r", attempt: 1 } }));
    await isPending(ended);
    expect(taken.map(({ message }) => message.case)).toEqual(["scopeDeclared", "batch"]);
    abort.abort();
    await expect(ended).rejects.toThrow();
  });

  it("ends after it is stopped when all messages are acknowledged, not before", async () => {
    const outbox = new Outbox(LIMITS);
    declare(outbox);
    const { stop, ended } = openSession(outbox);
    expect(await isPending(ended)).toBe(true);
    stop.abort();
    expect(await isPending(ended)).toBe(true);
    outbox.acknowledge(1n);
    await ended;
  });

  it("ends at once if it is stopped while all messages are acknowledged", async () => {
    const outbox = new Outbox(LIMITS);
    const { stop, ended } = openSession(outbox);
    expect(await isPending(ended)).toBe(true);
    stop.abort();
    await ended;
  });

  it("sends nothing after its session was aborted", async () => {
    const outbox = new Outbox(LIMITS);
    declare(outbox);
    outbox.openSession(SESSION);
    const aborted = AbortSignal.abort(new Error("cut off"));
    await expect(outbox.take(aborted, never).next()).rejects.toThrow("cut off");
  });
});

describe("the ends of comparisons (L34)", () => {
  const RUN = create(RunRefSchema, { runId: "r", attempt: 1 });
  const endOf = (resourceType: ResourceType) => create(ResourceReconciledSchema, { resourceType });

  /** Opens a session, runs the outbox, and returns the messages behind the scope. */
  async function open() {
    const clock = new ManualClock();
    const outbox = new Outbox({ ...LIMITS, clock });
    declare(outbox);
    const session = openSession(outbox);
    const running = outbox.run(session.abort.signal);
    running.catch(() => {});
    await clock.advance(0);
    const sent = () => session.taken.slice(1).map(sketch);
    const end = async (): Promise<void> => {
      session.abort.abort(new Error("the test has ended"));
      await expect(running).rejects.toThrow("the test has ended");
      await session.ended.catch(() => {});
      expect(clock.pending).toBe(0);
    };
    return { clock, outbox, session, sent, [Symbol.asyncDispose]: end };
  }

  it("wait a second for others, from the first of them on", async () => {
    await using world = await open();
    const { clock, outbox, sent } = world;
    await clock.advance(700);
    outbox.offerEnd(RUN, endOf(PODS));
    await clock.advance(600);
    outbox.offerEnd(RUN, endOf(NODES));
    await clock.advance(399);
    expect(sent()).toEqual([]);
    await clock.advance(1);
    expect(sent()).toEqual(["end of pods, nodes"]);
  });

  it("wait while other messages are sent, and no longer for them", async () => {
    await using world = await open();
    const { clock, outbox, sent } = world;
    outbox.offerEnd(RUN, endOf(PODS));
    for (let at = 0; at < 9; at++) {
      offer(outbox, `x${at}`, 10, NODES);
      await clock.advance(110);
      outbox.acknowledge(BigInt(at + 2));
    }
    expect(sent()).toHaveLength(9);
    await clock.advance(10);
    expect(sent().at(-1)).toBe("end of pods");
  });

  it("go out at once when no other comparison is left, and the next ones wait a full second", async () => {
    await using world = await open();
    const { clock, outbox, sent } = world;
    outbox.offerEnd(RUN, endOf(PODS));
    await clock.advance(900);
    outbox.releaseEnds();
    await clock.advance(0);
    expect(sent()).toEqual(["end of pods"]);
    outbox.offerEnd(RUN, endOf(NODES));
    await clock.advance(900);
    expect(sent()).toEqual(["end of pods"]);
    await clock.advance(100);
    expect(sent()).toEqual(["end of pods", "end of nodes"]);
  });

  it("go out behind the changes of their resource types, and before the next one of them", async () => {
    await using world = await open();
    const { clock, outbox, sent } = world;
    offer(outbox, "x");
    outbox.offerEnd(RUN, endOf(PODS));
    offer(outbox, "n", 10, NODES);
    await clock.advance(0);
    expect(sent()).toEqual(["batch of pods", "batch of nodes"]);
    outbox.acknowledge(3n);
    offer(outbox, "y");
    await clock.advance(0);
    expect(sent()).toEqual(["batch of pods", "batch of nodes", "end of pods", "batch of pods"]);
  });

  it("go out at once when the agent stops, which waits for their acknowledgement", async () => {
    await using world = await open();
    const { clock, outbox, session, sent } = world;
    outbox.acknowledge(1n);
    outbox.offerEnd(RUN, endOf(PODS));
    session.stop.abort();
    await clock.advance(0);
    expect(sent()).toEqual(["end of pods"]);
    expect(await isPending(session.ended)).toBe(true);
    outbox.acknowledge(2n);
    await session.ended;
  });

  it("are dropped with their session, which ends their run", async () => {
    await using world = await open();
    const { clock, outbox, sent } = world;
    outbox.offerEnd(RUN, endOf(PODS));
    outbox.openSession(SESSION);
    await clock.advance(2_000);
    expect(sent()).toEqual(["scope"]);
    expect(outbox.state.isDrained).toBe(false);
    outbox.acknowledge(1n);
    expect([outbox.state.isDrained, outbox.state.pendingBytes]).toEqual([true, 0]);
  });
});

/** Returns a short form of a request. */
function sketch({ message }: SyncRequest): string {
  switch (message.case) {
    case "batch":
      return `batch of ${message.value.resourceType?.resource}`;
    case "resourcesReconciled":
      return `end of ${message.value.ends.map(({ resourceType }) => resourceType?.resource).join(", ")}`;
    case "scopeDeclared":
      return "scope";
    default:
      return message.case ?? "";
  }
}
