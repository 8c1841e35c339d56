import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { type Batch, BatchSchema, BatchType } from "../../../../gen/proto/evenkeel/v1/batch_pb.ts";
import { DeleteReason } from "../../../../gen/proto/evenkeel/v1/object_pb.ts";
import { ResourceReconciledSchema } from "../../../../gen/proto/evenkeel/v1/reconciliation_pb.ts";
import { ResourceTypeSchema } from "../../../../gen/proto/evenkeel/v1/resource_pb.ts";
import { ResourceScopeSchema } from "../../../../gen/proto/evenkeel/v1/scope_pb.ts";
import type { SyncRequest } from "../../../../gen/proto/evenkeel/v1/sync_service_pb.ts";
import { deleteItem, putItem } from "../../../../src/agent/uplink/batch-items.ts";
import { UplinkState } from "../../../../src/agent/uplink/uplink-state.ts";
import { InvalidArgumentError } from "../../../../src/lib/errors.ts";
import type { AgentWorld } from "../../../support/agent/agent-world.ts";
import { syncedWorld } from "../../../support/agent/synced-world.ts";

const PODS = create(ResourceTypeSchema, { version: "v1", resource: "pods" });
const SESSION = { maxUnacknowledgedBytes: 1_000_000 };
const RUN = { runId: "2f0e7a5c-9d0b-4a51-8d0c-5a2f1f6f0a11", attempt: 1 };

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
  const state = new UplinkState({ maxItems: 10, maxBytes: 100_000 });
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
    ["a field of the batch", "batch.incarnation"],
  ])("withholds nothing for %s", (_name, field) => {
    const state = openState();
    offer(state, "x");
    send(state);
    expect(state.refuse([{ field, description: "no" }])).toEqual([]);
    state.openSession(SESSION);
    expect(itemsOf(drain(state))).toEqual(["a/x"]);
  });

  it("fails the comparison that lost an item", () => {
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
    state.offerReconciled(
      create(ResourceReconciledSchema, { run: RUN, resourceType: PODS, listVersion: "7" }),
    );
    const last = drain(state).at(-1)?.message;
    expect(last?.case === "resourceReconciled" && last.value).toMatchObject({
      listVersion: "",
      failure: { reason: "Refused" },
    });
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
