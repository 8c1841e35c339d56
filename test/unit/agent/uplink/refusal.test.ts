import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import {
  type Batch,
  BatchSchema,
  BatchType,
  RunRefSchema,
} from "../../../../gen/proto/evenkeel/v1/batch_pb.ts";
import { DeleteReason } from "../../../../gen/proto/evenkeel/v1/object_pb.ts";
import {
  type ResourceReconciled,
  ResourceReconciledSchema,
} from "../../../../gen/proto/evenkeel/v1/reconciliation_pb.ts";
import { ResourceTypeSchema } from "../../../../gen/proto/evenkeel/v1/resource_pb.ts";
import { ResourceScopeSchema } from "../../../../gen/proto/evenkeel/v1/scope_pb.ts";
import { type SyncRequest, SyncRequestSchema } from "../../../../gen/proto/evenkeel/v1/sync_service_pb.ts";
import { deleteItem, putItem } from "../../../../src/agent/uplink/batch-items.ts";
import { UplinkState } from "../../../../src/agent/uplink/uplink-state.ts";
import { WithheldItems } from "../../../../src/agent/uplink/withheld-items.ts";
import { MAX_REASON_LENGTH } from "../../../../src/domain/limits.ts";
import { InvalidArgumentError } from "../../../../src/lib/errors.ts";
import type { AgentWorld } from "../../../support/agent/agent-world.ts";
import { syncedWorld } from "../../../support/agent/synced-world.ts";

const PODS = create(ResourceTypeSchema, { version: "v1", resource: "pods" });
const NODES = create(ResourceTypeSchema, { version: "v1", resource: "nodes" });
const SESSION = { maxUnacknowledgedBytes: 1_000_000 };
const RUN = create(RunRefSchema, { runId: "2f0e7a5c-9d0b-4a51-8d0c-5a2f1f6f0a11", attempt: 1 });

function item(name: string, version = 1) {
  const object = { metadata: { name, namespace: "a", uid: "u", resourceVersion: String(version) } };
  const content = {
    content: Buffer.from("{}"),
    checksum: new Uint8Array(32),
    contentFormat: "f",
    quarantineReason: "",
  };
  return putItem(object, content, String(version));
}

function offer(state: UplinkState, name: string, version = 1): void {
  state.offer({ resourceType: PODS, incarnation: undefined, item: item(name, version), traceParent: "" });
}

function openState(): UplinkState {
  const state = new UplinkState({ maxItems: 20, maxBytes: 100_000 });
  state.declareScope({ resources: [create(ResourceScopeSchema, { resourceType: PODS })], namespaces: [] });
  state.openSession(SESSION);
  return state;
}

/** Returns the messages that may be sent now. */
function send(state: UplinkState): SyncRequest[] {
  const requests: SyncRequest[] = [];
  for (let request = state.next(); request !== undefined; request = state.next()) {
    requests.push(request);
  }
  return requests;
}

/** Sends and acknowledges until nothing is left. */
function drain(state: UplinkState): SyncRequest[] {
  const requests: SyncRequest[] = [];
  for (let request = state.next(); request !== undefined; request = state.next()) {
    requests.push(request);
    state.acknowledge(request.sequence);
  }
  return requests;
}

/** Returns the ends of the last message after all is sent. */
function lastEnds(state: UplinkState): readonly ResourceReconciled[] {
  state.releaseEnds();
  const last = drain(state).at(-1)?.message;
  return last?.case === "resourcesReconciled" ? last.value.ends : [];
}

/** Returns the items of batches, as "a/x" or "a/x without content". */
function itemsOf(requests: readonly SyncRequest[]): string[] {
  return requests.flatMap(({ message }) =>
    message.case === "batch"
      ? message.value.items.map(({ message: { case: type, value } }) => {
          const suffix = type === "putObject" && value.quarantineReason !== "" ? " without content" : "";
          return `${value?.ref?.namespace}/${value?.ref?.name}${suffix}`;
        })
      : [],
  );
}

function asRequest(batch: Batch): SyncRequest {
  return create(SyncRequestSchema, { message: { case: "batch", value: batch } });
}

describe("a refusal of the backend (R52)", () => {
  it("withholds the content of the item, then the item, until the object changes", () => {
    const state = openState();
    for (const name of ["x", "y", "z"]) {
      offer(state, name);
    }
    expect(itemsOf(send(state))).toEqual(["a/x", "a/y", "a/z"]);
    expect(state.refuse([{ field: "batch.items[1].put_object.uid", description: "no" }])).toEqual([
      "pods a/y",
    ]);
    state.openSession(SESSION);
    expect(itemsOf(send(state))).toEqual(["a/x", "a/y without content", "a/z"]);
    state.refuse([{ field: "batch.items[1].put_object.ref.name", description: "no" }]);
    state.openSession(SESSION);
    expect(itemsOf(drain(state))).toEqual(["a/x", "a/z"]);
    offer(state, "y");
    expect(itemsOf(drain(state))).toEqual([]);
    expect(state.isDrained).toBe(true);
    expect(state.pendingBytes).toBe(0);
    offer(state, "y", 2);
    expect(itemsOf(drain(state))).toEqual(["a/y"]);
  });

  it("withholds a Delete", () => {
    const state = openState();
    const gone = deleteItem({ namespace: "a", name: "x" }, "u", "1", DeleteReason.OBSERVED);
    state.offer({ resourceType: PODS, incarnation: undefined, item: gone, traceParent: "" });
    send(state);
    state.refuse([{ field: "batch.items[0].delete_object.uid", description: "no" }]);
    state.openSession(SESSION);
    expect(itemsOf(drain(state))).toEqual([]);
  });

  it("withholds nothing while several messages may be meant, and sends the next ones one by one", () => {
    const state = openState();
    offer(state, "x");
    send(state);
    offer(state, "y");
    send(state);
    const violation = { field: "batch.items[0].put_object.uid", description: "no" };
    expect(state.refuse([violation])).toEqual([]);
    state.openSession(SESSION);
    expect(send(state)).toHaveLength(1);
    state.acknowledge(1n);
    expect(itemsOf(send(state))).toEqual(["a/x"]);
    state.acknowledge(2n);
    expect(itemsOf(send(state))).toEqual(["a/y"]);
    expect(state.refuse([violation])).toEqual(["pods a/y"]);
  });

  it.each([
    ["no field", ""],
    ["the scope", "scope_declared.resources[3]"],
    ["an item that was not sent", "batch.items[7].put_object.uid"],
    ["the item behind the last one", "batch.items[1].put_object.uid"],
    ["an item in another message", "scope.batch.items[0]"],
    ["a field of the batch", "batch.incarnation"],
  ])("withholds nothing for %s", (_name, field) => {
    const state = openState();
    offer(state, "x");
    send(state);
    expect(state.refuse([{ field, description: "no" }])).toEqual([]);
    state.openSession(SESSION);
    expect(itemsOf(drain(state))).toEqual(["a/x"]);
  });

  it("finds the message with all refused items, and an index of several digits", () => {
    const state = openState();
    offer(state, "x");
    send(state);
    const names = Array.from({ length: 12 }, (_, at) => `y${at}`);
    for (const name of names) {
      offer(state, name);
    }
    send(state);
    const violations = [0, 11].map((at) => ({
      field: `batch.items[${at}].put_object.uid`,
      description: "no",
    }));
    expect(state.refuse(violations)).toEqual(["pods a/y0", "pods a/y11"]);
  });

  it("of a message without a field does not slow the next session down", () => {
    const state = openState();
    offer(state, "x");
    send(state);
    state.refuse([{ field: "scope_declared.resources[3]", description: "no" }]);
    state.openSession(SESSION);
    expect(send(state)).toHaveLength(2);
  });

  it("withholds a Delete until the object is observed as gone at another version", () => {
    const state = openState();
    const offerGone = (version: string): void => {
      const gone = deleteItem({ namespace: "a", name: "x" }, "u", version, DeleteReason.OBSERVED);
      state.offer({ resourceType: PODS, incarnation: undefined, item: gone, traceParent: "" });
    };
    offerGone("1");
    send(state);
    state.refuse([{ field: "batch.items[0].delete_object.uid", description: "no" }]);
    state.openSession(SESSION);
    offerGone("1");
    expect(itemsOf(drain(state))).toEqual([]);
    offerGone("2");
    expect(itemsOf(drain(state))).toEqual(["a/x"]);
  });

  it("is given as the reason of the item without content, cut to what the contract allows", () => {
    const withheld = new WithheldItems();
    const batch = create(BatchSchema, { resourceType: PODS, items: [item("x")] });
    withheld.refuse(batch, item("x"), "y".repeat(5_000));
    const [left] = withheld.applyTo(batch).items;
    expect(left?.message).toMatchObject({ case: "putObject", value: { content: new Uint8Array() } });
    const reason = left?.message.case === "putObject" ? left.message.value.quarantineReason : "";
    expect(reason).toMatch(/^refused by the backend: y+$/);
    expect(reason).toHaveLength(MAX_REASON_LENGTH);
  });

  it("is forgotten after 10,000 others, the oldest first", () => {
    const withheld = new WithheldItems();
    const batchOf = (name: string): Batch => create(BatchSchema, { resourceType: PODS, items: [item(name)] });
    const refuse = (name: string): void => withheld.refuse(batchOf(name), item(name), "no");
    const isWithheld = (name: string): boolean =>
      itemsOf([asRequest(withheld.applyTo(batchOf(name)))])[0] !== `a/${name}`;
    for (let at = 0; at < 10_000; at++) {
      refuse(`x${at}`);
    }
    refuse("x0");
    expect(isWithheld("x1")).toBe(true);
    refuse("another");
    expect(["x0", "x1", "x2", "another"].map(isWithheld)).toEqual([true, false, true, true]);
  });

  it("fails no comparison of the next session, and changes no failure", () => {
    const state = openState();
    const batch: Batch = create(BatchSchema, {
      resourceType: PODS,
      type: BatchType.DEFAULT,
      items: [deleteItem({ namespace: "a", name: "x" }, "u", "1", DeleteReason.NOT_LISTED)],
      run: RUN,
    });
    const endOf = (failure?: string) => {
      const end = { resourceType: PODS, listVersion: "7" };
      state.offerEnd(
        RUN,
        create(
          ResourceReconciledSchema,
          failure === undefined ? end : { ...end, failure: { reason: failure } },
        ),
      );
      return lastEnds(state).map((each) => each.failure?.reason ?? "none");
    };
    state.offerRunBatch(batch);
    send(state);
    state.refuse([{ field: "batch.items[0]", description: "no" }]);
    state.openSession(SESSION);
    state.offerRunBatch(batch);
    expect(endOf("Forbidden")).toEqual(["Forbidden"]);
    expect(endOf()).toEqual(["Refused"]);
    state.openSession(SESSION);
    expect(endOf()).toEqual(["none"]);
  });

  it("fails the comparison that lost an item, and not another in the same message", () => {
    const state = openState();
    const batch: Batch = create(BatchSchema, {
      resourceType: PODS,
      type: BatchType.DEFAULT,
      items: [item("x")],
      run: RUN,
    });
    for (const _ of [1, 2]) {
      state.offerRunBatch(batch);
      send(state);
      state.refuse([{ field: "batch.items[0]", description: "no" }]);
      state.openSession(SESSION);
    }
    state.offerRunBatch(batch);
    for (const resourceType of [NODES, PODS]) {
      state.offerEnd(RUN, create(ResourceReconciledSchema, { resourceType, listVersion: "7" }));
    }
    expect(lastEnds(state).map(({ listVersion, failure }) => [listVersion, failure?.reason])).toEqual([
      ["7", undefined],
      ["", "Refused"],
    ]);
  });

  it("never ends the agent, whose other objects are copied", async () => {
    await using world = await syncedWorld(["a"]);
    await refuse(world, (batch) =>
      batch.items.findIndex(({ message }) => message.value?.ref?.name === "odd"),
    );
    world.configMap("odd", "1");
    world.configMap("b", "1");
    await world.advance(60_000);
    const { "default/odd": _, ...others } = world.truth();
    expect(world.backend.contents("configmaps")).toEqual(others);
    world.configMap("c", "1");
    await world.advance(60_000);
    expect(Object.keys(world.backend.contents("configmaps"))).toEqual([
      "default/a",
      "default/b",
      "default/c",
    ]);
    world.backend.ask("configmaps");
    await world.advance(60_000);
    world.backend.ask("configmaps");
    await world.advance(60_000);
    expect(world.backend.reconciled.at(-1)?.failure?.reason).toBe("Refused");
    await world.stop();
  });

  it("of a message without a field is retried with a backoff", async () => {
    await using world = await syncedWorld(["a"]);
    world.backend.disconnect(new InvalidArgumentError([{ field: "", description: "no" }]));
    await world.advance(60_000);
    expect(world.agent.counters.sessions).toBe(2);
    world.configMap("b", "1");
    await world.advance();
    expect(world.backend.contents("configmaps")).toEqual(world.truth());
  });
});

/** Lets the backend refuse a batch whose item at the returned index is invalid; -1 accepts it. */
async function refuse(world: AgentWorld, invalidItem: (batch: Batch) => number): Promise<void> {
  const { openSync } = world.backend;
  world.connect = (signal, requests) =>
    openSync(
      signal,
      (async function* () {
        for await (const request of requests) {
          const index = request.message.case === "batch" ? invalidItem(request.message.value) : -1;
          if (index >= 0) {
            world.backend.disconnect(
              new InvalidArgumentError([
                { field: `batch.items[${index}].put_object.ref`, description: "no" },
              ]),
            );
            return;
          }
          yield request;
        }
      })(),
    );
  world.backend.disconnect();
  await world.advance(5_000);
}
