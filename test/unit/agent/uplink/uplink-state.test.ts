import { create, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { BatchSchema, BatchType, RunRefSchema } from "../../../../gen/proto/evenkeel/v1/batch_pb.ts";
import { FailureSchema } from "../../../../gen/proto/evenkeel/v1/failure_pb.ts";
import { DeleteReason } from "../../../../gen/proto/evenkeel/v1/object_pb.ts";
import {
  type ResourceReconciled,
  ResourceReconciledSchema,
} from "../../../../gen/proto/evenkeel/v1/reconciliation_pb.ts";
import { type ResourceType, ResourceTypeSchema } from "../../../../gen/proto/evenkeel/v1/resource_pb.ts";
import {
  RemovalReason,
  RemovedResourceSchema,
  ResourceScopeSchema,
  UndecidedGroupSchema,
} from "../../../../gen/proto/evenkeel/v1/scope_pb.ts";
import { type SyncRequest, SyncRequestSchema } from "../../../../gen/proto/evenkeel/v1/sync_service_pb.ts";
import { deleteItem, putItem } from "../../../../src/agent/uplink/batch-items.ts";
import type { Change } from "../../../../src/agent/uplink/live-segment.ts";
import { type DeclaredScope, UplinkState } from "../../../../src/agent/uplink/uplink-state.ts";
import { keyOfItem, ownObservedVersionOf } from "../../../../src/domain/observations.ts";
import { resourceTypeKey } from "../../../../src/domain/resource-type.ts";

const PODS = create(ResourceTypeSchema, { version: "v1", resource: "pods" });
const NODES = create(ResourceTypeSchema, { version: "v1", resource: "nodes" });
const LIMITS = { maxItems: 3, maxBytes: 2_000 };
const SESSION = { maxUnacknowledgedBytes: 6_000 };
const RUN = create(RunRefSchema, { runId: "2f0e7a5c-9d0b-4a51-8d0c-5a2f1f6f0a11", attempt: 1 });

function put(name: string, version: number, { resourceType = PODS, uid = "u", bytes = 2 } = {}): Change {
  const object = { metadata: { name, namespace: "a", uid, resourceVersion: String(version) } };
  const content = {
    content: new Uint8Array(bytes),
    checksum: new Uint8Array(32),
    contentFormat: "f",
    quarantineReason: "",
  };
  return {
    resourceType,
    incarnation: undefined,
    item: putItem(object, content, String(version)),
    traceParent: "",
  };
}

function gone(name: string, version: number, resourceType = PODS): Change {
  const item = deleteItem({ namespace: "a", name }, "u", String(version), DeleteReason.OBSERVED);
  return { resourceType, incarnation: undefined, item, traceParent: "" };
}

function scopeOf(resourceTypes: readonly ResourceType[]): DeclaredScope {
  const resources = resourceTypes.map((resourceType) => create(ResourceScopeSchema, { resourceType }));
  return { resources, namespaces: [] };
}

function openState(resourceTypes = [PODS, NODES]): UplinkState {
  const state = new UplinkState(LIMITS);
  state.declareScope(scopeOf(resourceTypes));
  state.openSession(SESSION);
  return state;
}

function drain(state: UplinkState): SyncRequest[] {
  const requests: SyncRequest[] = [];
  for (let request = state.next(); request !== undefined; request = state.next()) {
    requests.push(request);
    state.acknowledge(request.sequence);
  }
  return requests;
}

/** Returns a short form of a request. */
function sketch({ message }: SyncRequest): string {
  switch (message.case) {
    case "batch":
      return message.value.items
        .map(
          (item) =>
            `${item.message.case === "putObject" ? "+" : "-"}${keyOfItem(item)}@${ownObservedVersionOf(item)}`,
        )
        .join(" ");
    case "scopeDeclared":
      return `scope ${message.value.generation}`;
    case "resourcesReconciled":
      return `end of ${message.value.ends.map(({ resourceType }) => resourceTypeKey(resourceType)).join(", ")}`;
    default:
      return message.case ?? "";
  }
}

function endOf(resourceType: ResourceType, init: { readonly listed?: bigint } = {}): ResourceReconciled {
  return create(ResourceReconciledSchema, { resourceType, ...init });
}

describe("UplinkState", () => {
  it("says nothing before a session is open and its scope declared", () => {
    const state = new UplinkState(LIMITS);
    state.offer(put("x", 1));
    expect(state.next()).toBeUndefined();
    state.openSession(SESSION);
    expect(state.next()).toBeUndefined();
    state.offer(put("y", 2));
    state.declareScope(scopeOf([PODS]));
    expect(state.scopeGeneration).toBe(1n);
  });

  it("R3, R20: keeps the newest change of an object: delete then add is one Put with the new uid", () => {
    const state = openState();
    state.offer(put("x", 1, { uid: "old" }));
    state.offer(gone("x", 2));
    state.offer(put("x", 3, { uid: "new" }));
    state.offer(put("y", 4));
    state.offer(gone("y", 5));
    const [, batch] = drain(state);
    expect(batch && sketch(batch)).toBe("+a/x@3 -a/y@5");
    expect(batch?.message.case === "batch" && batch.message.value.items[0]?.message.value?.uid).toBe("new");
  });

  it("collects changes in one batch while four messages are on their way (L37)", () => {
    const state = openState();
    const next = (): string | undefined => {
      const request = state.next();
      return request && sketch(request);
    };
    const send = (name: string): string | undefined => {
      state.offer(put(name, 1));
      return next();
    };
    expect([next(), ...["a", "b", "c"].map(send)]).toEqual(["scope 1", "+a/a@1", "+a/b@1", "+a/c@1"]);
    expect(["d", "e"].map(send)).toEqual([undefined, undefined]);
    state.acknowledge(1n);
    expect([next(), next()]).toEqual(["+a/d@1 +a/e@1", undefined]);
    state.acknowledge(5n);
    expect(state.isDrained).toBe(true);
  });

  it("sends whole batches while any number of messages is on its way (L37)", () => {
    const state = new UplinkState({ maxItems: 100, maxBytes: 1_000 });
    state.declareScope(scopeOf([PODS]));
    state.openSession({ maxUnacknowledgedBytes: 1_000_000 });
    for (let at = 0; at < 200; at++) {
      state.offer(put(`x${at}`, 1));
    }
    let sent = 0;
    while (state.next() !== undefined) {
      sent++;
    }
    expect(sent).toBeGreaterThan(10);
    expect(state.pendingBytes).toBeLessThan(1_000);
  });

  it("R30: drops the pending puts of a reflector that has ended, and keeps its deletes", () => {
    const state = openState();
    state.offer(put("x", 1));
    state.offer(gone("y", 2));
    state.offer(put("node", 3, { resourceType: NODES }));
    const before = state.pendingBytes;
    expect(state.dropPuts(resourceTypeKey(PODS))).toBe(false);
    expect(state.pendingBytes).toBeLessThan(before);
    expect(drain(state).map(sketch)).toEqual(["scope 1", "-a/y@2", "+a/node@3"]);
    expect([state.pendingBytes, state.isDrained]).toEqual([0, true]);
  });

  it("R30: does not send a put of a reflector that has ended again", () => {
    const state = openState();
    state.offer(put("x", 1));
    state.offer(gone("y", 2));
    state.offer(put("node", 3, { resourceType: NODES }));
    const sent = [state.next(), state.next(), state.next()];
    expect(sent.map((request) => request && sketch(request))).toEqual([
      "scope 1",
      "+a/x@1 -a/y@2",
      "+a/node@3",
    ]);
    expect(state.dropPuts(resourceTypeKey(PODS))).toBe(true);
    state.offer(put("x", 4));
    state.openSession(SESSION);
    // This one was pending again.
    expect(state.dropPuts(resourceTypeKey(NODES))).toBe(false);
    expect(drain(state).map(sketch)).toEqual(["scope 1", "-a/y@2", "+a/x@4"]);
    expect([state.pendingBytes, state.isDrained]).toEqual([0, true]);
  });

  it("R20: moves no change over a marker", () => {
    const state = openState();
    state.offer(put("x", 1));
    state.offerEnd(RUN, endOf(PODS));
    state.offer(gone("x", 2));
    expect(drain(state).map(sketch)).toEqual(["scope 1", "+a/x@1", "end of pods", "-a/x@2"]);
  });

  it("R20: moves a change over the end of another resource type only", () => {
    const state = openState();
    state.offerEnd(RUN, endOf(PODS));
    state.offer(put("n", 1, { resourceType: NODES }));
    expect(drain(state).map(sketch)).toEqual(["scope 1", "+a/n@1"]);
    state.offerEnd(RUN, endOf(NODES));
    state.offerRunBatch(
      create(BatchSchema, {
        resourceType: NODES,
        type: BatchType.DEFAULT,
        items: [put("m", 2).item],
        run: RUN,
      }),
    );
    expect(drain(state).map(sketch)).toEqual(["end of pods, nodes", "+a/m@2"]);
  });

  it("declares a scope behind the ends of comparisons of the one before", () => {
    const state = openState();
    state.offerEnd(RUN, endOf(PODS));
    state.declareScope(scopeOf([PODS]));
    expect(drain(state).map(sketch)).toEqual(["scope 1", "end of pods", "scope 2"]);
  });

  it("sends ends in one message if they are of one attempt, and each resource type once (U6)", () => {
    const state = openState();
    const next = { ...RUN, attempt: 2 };
    const other = { ...RUN, runId: "00000000-0000-4000-8000-000000000001" };
    state.offerEnd(RUN, endOf(PODS));
    state.offerEnd(next, endOf(NODES));
    state.offerEnd({ ...other, attempt: 2 }, endOf(PODS));
    state.offerEnd(other, endOf(NODES));
    state.offerEnd(other, endOf(PODS));
    state.offerEnd(other, endOf(PODS, { listed: 7n }));
    state.releaseEnds();
    const messages = drain(state).flatMap(({ message }) =>
      message.case === "resourcesReconciled" ? [message.value] : [],
    );
    expect(messages.map(({ run, ends }) => [run?.runId, run?.attempt, ends.length])).toEqual([
      [RUN.runId, 1, 1],
      [RUN.runId, 2, 1],
      [other.runId, 2, 1],
      [other.runId, 1, 2],
      [other.runId, 1, 1],
    ]);
    expect(messages.at(-1)?.ends[0]?.listed).toBe(7n);
  });

  it("sends at most 100 ends in one message, and at most the bytes of a batch (U6)", () => {
    const sizesOf = (maxBytes: number, message: string): number[] => {
      const state = new UplinkState({ maxItems: 3, maxBytes });
      state.declareScope(scopeOf([PODS]));
      state.openSession({ maxUnacknowledgedBytes: 10_000_000 });
      for (let at = 0; at < 250; at++) {
        const resourceType = create(ResourceTypeSchema, { version: "v1", resource: `r${at}` });
        const failure = create(FailureSchema, { reason: "Internal", message });
        state.offerEnd(RUN, { ...endOf(resourceType), failure });
      }
      expect(state.pendingBytes).toBeGreaterThan(250 * message.length);
      state.releaseEnds();
      return drain(state).flatMap(({ message: sent }) => {
        const isLarge = toBinary(SyncRequestSchema, create(SyncRequestSchema, { message: sent })).length;
        expect(isLarge).toBeLessThanOrEqual(maxBytes + 256);
        return sent.case === "resourcesReconciled" ? [sent.value.ends.length] : [];
      });
    };
    expect(sizesOf(1_000_000, "short")).toEqual([100, 100, 50]);
    expect(sizesOf(50_000, "x".repeat(4_000)).every((size) => size === 12 || size === 10)).toBe(true);
  });

  it("lets no older observation replace a newer one", () => {
    const state = openState();
    state.offer(put("x", 9));
    state.offer(gone("x", 7));
    expect(drain(state).map(sketch)).toEqual(["scope 1", "+a/x@9"]);
    state.offer({ ...put("x", 9), incarnation: 5n });
    state.offer({ ...gone("x", 1), incarnation: 6n });
    expect(drain(state).map(sketch)).toEqual(["-a/x@1"]);
  });

  it("R31: drops at reconnect what is about kinds that left the scope, by group and resource", () => {
    const state = openState();
    state.offer(put("x", 1, { resourceType: { ...PODS, version: "v2" } }));
    state.offer(put("n", 2, { resourceType: NODES }));
    state.declareScope(scopeOf([PODS]));
    state.openSession(SESSION);
    expect(drain(state).map(sketch)).toEqual(["scope 1", "+a/x@1"]);
  });

  it("drops what answers a run when its session ends, and keeps the rest in order", () => {
    const state = openState();
    state.offer(put("x", 1));
    state.next();
    state.next();
    state.offerRunBatch(
      create(BatchSchema, {
        resourceType: PODS,
        type: BatchType.DEFAULT,
        items: [put("r", 2).item],
        run: RUN,
      }),
    );
    state.offer(put("x", 3));
    state.next();
    state.offerEnd(RUN, endOf(NODES));
    state.offerEnd(RUN, endOf(PODS));
    state.offer(put("x", 4));
    state.offerEnd(RUN, endOf(NODES));
    state.openSession(SESSION);
    const requests = drain(state);
    expect(requests.map(sketch)).toEqual(["scope 1", "+a/x@1", "+a/x@3", "+a/x@4"]);
    expect(requests.map(({ sequence }) => sequence)).toEqual([1n, 2n, 3n, 4n]);
  });

  it("cuts batches by items and by bytes, and sends a larger object alone", () => {
    const state = openState();
    for (let i = 0; i < 4; i++) {
      state.offer(put(`s${i}`, i + 1));
    }
    state.offer(put("large", 5, { bytes: 5_000 }));
    state.offer(put("t", 6));
    expect(drain(state).map(sketch)).toEqual([
      "scope 1",
      "+a/s0@1 +a/s1@2 +a/s2@3",
      "+a/s3@4",
      "+a/large@5",
      "+a/t@6",
    ]);
  });

  it("numbers nothing while too much is unacknowledged", () => {
    const state = openState();
    for (let i = 0; i < 10; i++) {
      state.offer(put(`x${i}`, i + 1, { bytes: 1_900 }));
    }
    const taken: SyncRequest[] = [];
    for (let request = state.next(); request !== undefined; request = state.next()) {
      taken.push(request);
    }
    expect(state.unacknowledgedBytes).toBeLessThanOrEqual(SESSION.maxUnacknowledgedBytes);
    expect(taken.length).toBeGreaterThan(1);
    state.acknowledge(taken.at(-1)?.sequence ?? 0n);
    expect(state.next()).toBeDefined();
  });

  it("refuses an acknowledgement of what was never sent", () => {
    const state = openState();
    state.next();
    expect(() => state.acknowledge(2n)).toThrow("expected a sequence of at most 1, found 2");
  });
});

type Command =
  | {
      readonly op: "put" | "delete";
      readonly name: string;
      readonly resourceType: ResourceType;
      readonly bytes: number;
    }
  | { readonly op: "drop"; readonly resourceType: ResourceType }
  | { readonly op: "end"; readonly resourceType: ResourceType; readonly attempt: number }
  | { readonly op: "run" | "release" | "scope" | "take" | "session" }
  | { readonly op: "acknowledge"; readonly share: number };

const command: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      op: fc.constantFrom("put" as const, "delete" as const),
      name: fc.constantFrom("x", "y", "z"),
      resourceType: fc.constantFrom(PODS, NODES),
      bytes: fc.constantFrom(2, 900, 5_000),
    }),
  },
  { weight: 4, arbitrary: fc.constant({ op: "take" as const }) },
  {
    weight: 2,
    arbitrary: fc.record({
      op: fc.constant("acknowledge" as const),
      share: fc.double({ min: 0, max: 1, noNaN: true }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ op: fc.constant("drop" as const), resourceType: fc.constantFrom(PODS, NODES) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      op: fc.constantFrom("run" as const, "release" as const, "scope" as const, "session" as const),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      op: fc.constant("end" as const),
      resourceType: fc.constantFrom(PODS, NODES),
      attempt: fc.constantFrom(1, 2),
    }),
  },
);

/** Newest version of each object that was offered. */
type Offered = Map<string, { readonly version: number; readonly mayBeLost: boolean }>;

/** Runs the commands against a backend that applies what is new by the rule, and checks the invariants as it goes. */
class Model {
  readonly #state = openState();
  /** Newest version offered, and newest one received, of each object. A dropped put need not be received. */
  readonly #offered: Offered = new Map();
  readonly #received = new Map<string, number>();
  /** Versions of the puts, and the newest version of each resource type at which its puts were dropped. */
  readonly #puts = new Set<number>();
  readonly #dropped = new Map<string, number>();
  /** For each end of this session that is not received: what had been offered when it was. */
  #ends: { readonly resourceKey: string; readonly offered: Offered }[] = [];
  #taken: { readonly request: SyncRequest; readonly bytes: string }[] = [];
  #last = 0n;
  #generation = 0n;
  #version = 0;

  run(commands: readonly Command[]): void {
    for (const c of commands) {
      this.#step(c);
    }
    for (const { request, bytes } of this.#taken) {
      expect(bytesOf(request)).toBe(bytes); // U2
    }
    this.#state.openSession(SESSION);
    this.#startSession();
    while (this.#take()) {
      this.#state.acknowledge(this.#last);
    }
    expect(this.#state.isDrained).toBe(true);
    expect([this.#state.pendingBytes, this.#state.unacknowledgedBytes]).toEqual([0, 0]);
    for (const [object, { version, mayBeLost }] of this.#offered) {
      expect(mayBeLost || this.#received.get(object) === version).toBe(true); // U4, U5
    }
  }

  #step(c: Command): void {
    switch (c.op) {
      case "put":
      case "delete": {
        const version = ++this.#version;
        if (c.op === "put") {
          this.#puts.add(version);
        }
        this.#state.offer(c.op === "put" ? put(c.name, version, c) : gone(c.name, version, c.resourceType));
        this.#offered.set(`${resourceTypeKey(c.resourceType)} ${c.name}`, { version, mayBeLost: false });
        return;
      }
      case "drop":
        this.#state.dropPuts(resourceTypeKey(c.resourceType));
        this.#drop(resourceTypeKey(c.resourceType));
        return;
      case "run":
        this.#state.offerRunBatch(
          create(BatchSchema, { resourceType: PODS, type: BatchType.DEFAULT, run: RUN }),
        );
        return;
      case "end":
        this.#state.offerEnd({ ...RUN, attempt: c.attempt }, endOf(c.resourceType));
        this.#ends.push({ resourceKey: resourceTypeKey(c.resourceType), offered: new Map(this.#offered) });
        return;
      case "release":
        this.#state.releaseEnds();
        return;
      case "scope":
        this.#state.declareScope(scopeOf([PODS, NODES]));
        return;
      case "take":
        this.#take();
        return;
      case "acknowledge":
        this.#state.acknowledge(BigInt(Math.floor(Number(this.#last) * c.share)));
        return;
      case "session":
        this.#state.openSession(SESSION);
        this.#startSession();
        return;
      default:
        c satisfies never;
    }
  }

  #drop(resourceKey: string): void {
    this.#dropped.set(resourceKey, this.#version);
    for (const expected of [this.#offered, ...this.#ends.map(({ offered }) => offered)]) {
      for (const [object, { version }] of expected) {
        if (object.startsWith(`${resourceKey} `) && this.#puts.has(version)) {
          expected.set(object, { version, mayBeLost: true });
        }
      }
    }
  }

  #startSession(): void {
    this.#ends = [];
    this.#last = 0n;
    this.#generation = 0n;
  }

  #take(): boolean {
    const unacknowledged = this.#state.unacknowledgedBytes;
    const request = this.#state.next();
    if (request === undefined) {
      return false;
    }
    this.#taken.push({ request, bytes: bytesOf(request) });
    expect(request.sequence).toBe(++this.#last); // U1
    expect(this.#last === 1n).toBe(
      request.message.case === "scopeDeclared" && request.message.value.generation === 1n,
    );
    expect(unacknowledged === 0 || this.#state.unacknowledgedBytes <= SESSION.maxUnacknowledgedBytes).toBe(
      true,
    ); // U7
    this.#receive(request);
    return true;
  }

  #receive({ message }: SyncRequest): void {
    switch (message.case) {
      case "scopeDeclared":
        expect(message.value.generation).toBe(++this.#generation);
        return;
      case "resourcesReconciled": {
        const keys = message.value.ends.map(({ resourceType }) => resourceTypeKey(resourceType));
        expect(new Set(keys).size).toBe(keys.length); // U6
        for (const key of keys) {
          this.#receiveEnd(key);
        }
        return;
      }
      case "batch":
        expect(message.value.items.length).toBeLessThanOrEqual(LIMITS.maxItems); // U6
        for (const item of message.value.items) {
          const object = `${resourceTypeKey(message.value.resourceType)} ${item.message.value?.ref?.name}`;
          const version = Number(ownObservedVersionOf(item));
          const dropped = this.#dropped.get(resourceTypeKey(message.value.resourceType)) ?? 0;
          expect(item.message.case === "putObject" && version <= dropped).toBe(false); // U10
          const key = resourceTypeKey(message.value.resourceType);
          const end = this.#ends.find(({ resourceKey }) => resourceKey === key);
          // U3, backwards: a change offered behind an end that is still to come.
          expect(end === undefined || version <= (end.offered.get(object)?.version ?? 0)).toBe(true);
          this.#received.set(object, Math.max(version, this.#received.get(object) ?? 0));
        }
        return;
      default:
        throw new Error(`unexpected ${message.case}`);
    }
  }

  #receiveEnd(key: string): void {
    const at = this.#ends.findIndex(({ resourceKey }) => resourceKey === key);
    const [end] = this.#ends.splice(at, 1);
    for (const [object, { version, mayBeLost }] of end?.offered ?? []) {
      const isReceived = mayBeLost || (this.#received.get(object) ?? 0) >= version;
      expect(isReceived || !object.startsWith(`${key} `)).toBe(true); // U3, forwards
    }
  }
}

function bytesOf(request: SyncRequest): string {
  return Buffer.from(toBinary(SyncRequestSchema, request)).toString("base64");
}

describe("UplinkState against a model", () => {
  it("holds its invariants", () => {
    fc.assert(
      fc.property(fc.array(command, { maxLength: 120 }), (commands) => {
        new Model().run(commands);
      }),
      { numRuns: 500 },
    );
  });
});

describe("the trace of a batch", () => {
  const traced = (name: string, version: number, traceParent: string): Change => ({
    ...put(name, version),
    traceParent,
  });
  const [unrecorded, recorded] = ["00-aa-01-00", "00-bb-02-01"];

  it("is that of its first change that is recorded, also in the next session", () => {
    const state = openState();
    state.next();
    state.offer(traced("x", 1, unrecorded));
    state.offer(traced("y", 2, recorded));
    expect(state.next()?.traceParent).toBe(recorded);
    state.openSession(SESSION);
    state.next();
    expect(state.next()?.traceParent).toBe(recorded);
  });

  it("goes on unrecorded when none is", () => {
    const state = openState();
    state.next();
    state.offer(traced("x", 1, unrecorded));
    expect(state.next()?.traceParent).toBe(unrecorded);
  });
});

describe("a batch of live changes", () => {
  const REPLICAS: ResourceType = { ...PODS, version: "v2" };

  it("has one incarnation (U6)", () => {
    const state = openState();
    state.offer({ ...put("x", 1), incarnation: 5n });
    state.offer({ ...put("y", 2), incarnation: 6n });
    state.offer({ ...put("z", 3), incarnation: 5n });
    state.offer(put("w", 4));
    const batches = drain(state).flatMap(({ message }) => (message.case === "batch" ? [message.value] : []));
    expect(batches.map(({ incarnation, items }) => [incarnation, items.map(keyOfItem)])).toEqual([
      [5n, ["a/x", "a/z"]],
      [6n, ["a/y"]],
      [undefined, ["a/w"]],
    ]);
  });

  it("has one version of the resource type (U6)", () => {
    const state = openState();
    state.offer(put("x", 1));
    state.offer(put("y", 2, { resourceType: REPLICAS }));
    state.offer(put("z", 3));
    const batches = drain(state).flatMap(({ message }) => (message.case === "batch" ? [message.value] : []));
    expect(batches.map(({ resourceType, items }) => [resourceType?.version, items.map(keyOfItem)])).toEqual([
      ["v1", ["a/x", "a/z"]],
      ["v2", ["a/y"]],
    ]);
  });

  it("keeps the change of the higher incarnation, whatever the versions are", () => {
    const state = openState();
    state.offer({ ...put("x", 1), incarnation: 6n });
    state.offer({ ...gone("x", 9), incarnation: 5n });
    expect(drain(state).map(sketch)).toEqual(["scope 1", "+a/x@1"]);
  });

  it("keeps the latest change of versions that do not compare, or are equal", () => {
    const state = openState();
    const withVersion = (change: Change, observedVersion: string): Change => {
      const { value } = change.item.message;
      if (value !== undefined && "observedVersion" in value) {
        value.observedVersion = observedVersion;
      }
      return change;
    };
    state.offer(put("x", 1));
    state.offer(withVersion(gone("x", 1), ""));
    state.offer(withVersion(put("y", 1), ""));
    state.offer(gone("y", 1));
    state.offer(put("z", 1));
    state.offer(gone("z", 1));
    expect(drain(state).map(sketch)).toEqual(["scope 1", "-a/x@ -a/y@1 -a/z@1"]);
  });
});

describe("the messages that are pending", () => {
  it("have no bytes of resource types that left the scope", () => {
    const state = openState();
    for (const name of ["x", "y"]) {
      state.offer(put(name, 1, { bytes: 500 }));
      state.offer(put(name, 2, { resourceType: NODES, bytes: 900 }));
    }
    state.declareScope(scopeOf([PODS]));
    state.openSession(SESSION);
    const left = state.pendingBytes;
    expect(left).toBeGreaterThan(1_000);
    expect(left).toBeLessThan(1_000 + 900);
    drain(state);
    expect(state.pendingBytes).toBe(0);
  });

  it("have no answers to a run after its session, and no batch of a resource type that left the scope", () => {
    const state = openState();
    state.offer(put("x", 1, { resourceType: NODES }));
    state.next();
    state.next();
    state.declareScope(scopeOf([PODS]));
    state.openSession(SESSION);
    expect(drain(state).map(sketch)).toEqual(["scope 1"]);
  });

  it("keep the answers to a run when puts of the watch are dropped (R30)", () => {
    const state = openState();
    const items = [put("r", 2).item];
    state.offerRunBatch(
      create(BatchSchema, { resourceType: PODS, type: BatchType.DEFAULT, items, run: RUN }),
    );
    state.offerEnd(RUN, endOf(PODS));
    state.dropPuts(resourceTypeKey(PODS));
    state.releaseEnds();
    expect(drain(state).map(sketch)).toEqual(["scope 1", "+a/r@2", "end of pods"]);
  });

  it("are counted when a batch without its dropped puts is sent again (R30)", () => {
    const state = openState();
    for (const [name, version] of [
      ["x", 1],
      ["y", 2],
    ] as const) {
      state.offer(gone(name, version));
    }
    state.offer(put("z", 3, { bytes: 900 }));
    state.next();
    state.next();
    state.dropPuts(resourceTypeKey(PODS));
    state.openSession(SESSION);
    state.next();
    const before = state.pendingBytes;
    expect(before).toBeGreaterThan(0);
    expect(before).toBeLessThan(900);
    state.next();
    expect(state.pendingBytes).toBe(0);
    expect(state.unacknowledgedBytes).toBeGreaterThan(before);
  });

  it("are drained when none is pending and none is without acknowledgement", () => {
    const state = openState();
    expect(state.isDrained).toBe(false);
    const scope = state.next();
    expect(state.isDrained).toBe(false);
    state.acknowledge(scope?.sequence ?? 0n);
    expect(state.isDrained).toBe(true);
    state.offer(put("x", 1));
    expect(state.isDrained).toBe(false);
  });

  it("stay when an acknowledgement comes again", () => {
    const state = openState();
    state.offer(put("x", 1));
    state.next();
    state.next();
    state.acknowledge(1n);
    const { unacknowledgedBytes } = state;
    state.acknowledge(1n);
    expect([state.isDrained, state.unacknowledgedBytes]).toEqual([false, unacknowledgedBytes]);
  });
});

describe("a declared scope", () => {
  it("has everything that the agent declares, in this session and in the next one", () => {
    const state = openState();
    const declared = {
      ...scopeOf([PODS]),
      namespaces: ["a"],
      removed: [create(RemovedResourceSchema, { resourceType: NODES, reason: RemovalReason.EXCLUDED })],
      undecided: [create(UndecidedGroupSchema, { group: "apps", version: "v1" })],
      warnings: ["no such namespace"],
    };
    state.declareScope(declared);
    const [, second] = drain(state);
    state.openSession(SESSION);
    const [again] = drain(state);
    for (const request of [second, again]) {
      expect(request?.message).toMatchObject({ case: "scopeDeclared", value: declared });
    }
  });

  it("without removed or undecided types and warnings has none", () => {
    const [scope] = drain(openState());
    expect(scope?.message.value).toMatchObject({ removed: [], undecided: [], warnings: [] });
  });

  it("waits for the session", () => {
    const state = new UplinkState(LIMITS);
    state.declareScope(scopeOf([PODS]));
    expect([state.next(), state.pendingBytes]).toEqual([undefined, 0]);
    state.openSession(SESSION);
    state.declareScope(scopeOf([PODS, NODES]));
    expect(drain(state).map(sketch)).toEqual(["scope 1", "scope 2"]);
  });
});
