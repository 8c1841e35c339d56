import { describe, expect, it } from "vitest";
import type { ResourceReconciled } from "../../../../gen/proto/evenkeel/v1/reconciliation_pb.ts";
import type { SyncRequest } from "../../../../gen/proto/evenkeel/v1/sync_service_pb.ts";
import { resourceTypeKey } from "../../../../src/domain/resource-type.ts";
import type { AgentWorld } from "../../../support/agent/agent-world.ts";
import { askAll, changeAll, createCustomWorld, customTypes } from "../../../support/agent/custom-types.ts";

const types = customTypes(12);
const isListOf = (path: string, query: Readonly<Record<string, string>> = {}): boolean =>
  /\/types\d+$/.test(path) && query["watch"] === undefined && query["limit"] !== "1";

describe("the comparisons of a run", () => {
  it("run at most four at a time, in the order of their inventories, each end behind its repairs (R93)", async () => {
    await using world = createCustomWorld(types);
    await world.start();
    const lists = slowLists(world);
    const order = types.toReversed();
    askAll(world, order);
    await world.advance(20_000);
    expect(lists.begun).toEqual(order);
    expect(lists.most).toBe(4);
    expect(world.backend.reconciled).toHaveLength(types.length);
    for (const end of world.backend.reconciled) {
      expect(end).toMatchObject({ listed: 1n, put: 1n });
      const key = resourceTypeKey(end.resourceType);
      const { batches, ended } = sequencesOf(world, key);
      expect(batches).toHaveLength(1);
      expect(end.firstSequence).toBeLessThanOrEqual(batches[0] ?? 0n);
      expect(ended).toBeGreaterThan(batches[0] ?? 0n);
    }
    for (const key of types) {
      expect(world.backend.contents(key)).toEqual(world.truth(key));
    }
  });

  it("do not wait for one whose list hangs (R93)", async () => {
    await using world = createCustomWorld(types);
    await world.start();
    const hanging = types[0] ?? "";
    world.intercept = async ({ path, query }, go) => {
      if (isListOf(path, query) && path.endsWith("/types000")) {
        await world.clock.sleep(new AbortController().signal, 12_000);
      }
      return await go();
    };
    askAll(world, types);
    await world.advance(5_000);
    const ended = (): string[] => world.backend.reconciled.map((end) => resourceTypeKey(end.resourceType));
    expect(ended().toSorted()).toEqual(types.slice(1));
    await world.advance(60_000);
    expect(ended().at(-1)).toBe(hanging);
    expect(world.backend.reconciled.every(({ failure }) => failure === undefined)).toBe(true);
  });

  it("wait a limited time only for any number of lists that hang (R93)", async () => {
    await using world = createCustomWorld(types);
    await world.start();
    const hanging = /\/types00[0-7]$/;
    world.intercept = async ({ path, query }, go) => {
      if (isListOf(path, query) && hanging.test(path)) {
        await world.clock.sleep(new AbortController().signal, 45_000);
      }
      return await go();
    };
    askAll(world, types);
    await world.advance(25_000);
    expect(world.backend.reconciled.map((end) => resourceTypeKey(end.resourceType)).toSorted()).toEqual(
      types.slice(8),
    );
    await world.advance(60_000);
    expect(world.backend.reconciled).toHaveLength(types.length);
  });

  it("run one at a time while two lists together are above the limit of bytes (R93)", async () => {
    await using world = createCustomWorld(types, { maxInventoryBytes: 1 });
    await world.start();
    const lists = slowLists(world);
    askAll(world, types);
    await world.advance(20_000);
    expect(lists.most).toBe(1);
    expect(world.backend.reconciled).toHaveLength(types.length);
  });

  it("begin while a slow one runs, as soon as that has taken its chunks (R93)", async () => {
    const [large = "", small = ""] = types;
    await using world = createCustomWorld(types.slice(0, 2), { maxInventoryBytes: 2_000 });
    for (let i = 0; i < 20; i++) {
      world.cluster.create({
        apiVersion: "example.com/v1",
        kind: "Type000",
        metadata: { namespace: "default", name: `object-${i}` },
      });
    }
    await world.start();
    askAll(world, types.slice(0, 2));
    await world.advance(5_000);
    world.backend.rows.get(large)?.delete("default/only");
    const lists = slowLists(world, async (path) => {
      if (path.endsWith("/only")) {
        await world.clock.sleep(new AbortController().signal, 12_000);
      }
    });
    const runId = world.backend.ask(large, { chunkSize: 4 });
    world.backend.ask(small, { runId });
    const ended = (): string[] =>
      world.backend.reconciled.slice(2).map((end) => resourceTypeKey(end.resourceType));
    await world.advance(900);
    expect(lists.begun).toEqual([large]);
    await world.advance(5_000);
    expect(ended()).toEqual([small]);
    await world.advance(60_000);
    expect(ended()).toEqual([small, large]);
  });

  it("end in shared messages, and the last ones as soon as all of the scope have ended (L34)", async () => {
    await using world = createCustomWorld(types);
    await world.start();
    askAll(world, types);
    await world.advance(5_000);
    slowLists(world);
    askAll(world, types);
    const before = messagesOfEnds(world).length;
    // Lists end after one, two and three seconds, four at a time.
    await world.advance(2_900);
    expect(messagesOfEnds(world).slice(before)).toEqual([4]);
    await world.advance(110);
    expect(messagesOfEnds(world).slice(before)).toEqual([4, 4, 4]);
  });

  it("end with what has changed meanwhile behind them, each in its own resource type (L34)", async () => {
    const [busy = "", ...quiet] = types;
    await using world = createCustomWorld(types);
    await world.start();
    askAll(world, types);
    await world.advance(5_000);
    askAll(world, quiet);
    await world.advance(100);
    const before = messagesOfEnds(world).length;
    world.backend.ask(busy);
    await world.advance(100);
    changeAll(world, [busy], "2");
    await world.advance(100);
    const [last, change] = world.backend.received.slice(-2);
    expect(last?.message.case).toBe("resourcesReconciled");
    expect(change?.message.case === "batch" && change.message.value.run).toBeUndefined();
    expect(messagesOfEnds(world).slice(before)).toEqual([11, 1]);
  });

  it("end again after a reconnect, each once, and none of the session before (L34)", async () => {
    await using world = createCustomWorld(types);
    await world.start();
    askAll(world, types);
    await world.advance(5_000);
    const ended = world.backend.reconciled.length;
    askAll(world, types.slice(1));
    await world.advance(100);
    world.backend.disconnect();
    await world.advance(5_000);
    expect(world.backend.reconciled).toHaveLength(ended);
    const runId = askAll(world, types);
    await world.advance(5_000);
    const again = world.backend.reconciled.slice(ended);
    expect(again.map(({ resourceType }) => resourceTypeKey(resourceType)).toSorted()).toEqual(types);
    expect(new Set(again.map(({ run }) => run?.runId))).toEqual(new Set([runId]));
    expect(messagesOfEnds(world)).toEqual([types.length]);
  });

  it("are summed up in one line of the log for each run", async () => {
    await using world = createCustomWorld(types);
    await world.start();
    changeAll(world, types, "2");
    world.intercept = async ({ path, query }, go) => {
      if (isListOf(path, query)) {
        await world.clock.sleep(new AbortController().signal, 1_000);
        if (path.endsWith("/types003")) {
          throw new Error("broken");
        }
      }
      return await go();
    };
    const runId = askAll(world, types);
    await world.advance(60_000);
    const lines = world.log.entries.filter(({ message }) => message === "run compared");
    expect(lines).toMatchObject([
      { level: "info", fields: { runId, compared: 11, failed: 1, listed: 11n, put: 11n, deleted: 0n } },
    ]);
    expect(lines[0]?.fields["durationMs"]).toBeGreaterThanOrEqual(3_000);
    expect(lines[0]?.fields["durationMs"]).toBeLessThan(10_000);
    const perType = world.log.entries.filter(({ message }) => message === "resource type compared");
    expect(perType.map(({ level }) => level)).toEqual(Array.from({ length: 11 }, () => "debug"));
  });

  it("that a disconnect cuts off have their line too, with the number of those that are open", async () => {
    await using world = createCustomWorld(types);
    await world.start();
    world.intercept = async ({ path, query }, go) => {
      if (path.endsWith("/types003") && isListOf(path, query)) {
        await world.clock.sleep(new AbortController().signal, 12_000);
      }
      return await go();
    };
    const runId = askAll(world, types);
    await world.advance(5_000);
    world.backend.disconnect();
    await world.advance(60_000);
    expect(world.log.entries.filter(({ message }) => message === "run compared")).toMatchObject([
      { fields: { runId, compared: 11, failed: 0, unfinished: 1 } },
    ]);
  });
});

/** Lets each list take a second, and records which ones begin and how many are open at most. */
function slowLists(
  world: AgentWorld,
  beforeOther: (path: string) => Promise<void> = async () => {},
): { readonly begun: string[]; most: number } {
  const lists = { begun: [] as string[], most: 0 };
  let open = 0;
  world.intercept = async ({ path, query }, go) => {
    if (!isListOf(path, query)) {
      await beforeOther(path);
      return await go();
    }
    lists.begun.push(`${path.split("/").at(-1)}.example.com`);
    lists.most = Math.max(lists.most, ++open);
    await world.clock.sleep(new AbortController().signal, 1_000);
    open--;
    return await go();
  };
  return lists;
}

/** Returns the number of ends in each message of this session that has some. */
function messagesOfEnds({ backend }: AgentWorld): number[] {
  return backend.received.flatMap(({ message }) =>
    message.case === "resourcesReconciled" ? [message.value.ends.length] : [],
  );
}

/** Returns the sequences of the batches of a resource type in the session, and of the end of its comparison. */
function sequencesOf({ backend }: AgentWorld, key: string): { batches: bigint[]; ended: bigint } {
  const sequences = (isOf: (message: SyncRequest["message"]) => boolean): bigint[] =>
    backend.received.filter(({ message }) => isOf(message)).map(({ sequence }) => sequence);
  const isSame = ({ resourceType }: Pick<ResourceReconciled, "resourceType">): boolean =>
    resourceTypeKey(resourceType) === key;
  const [ended = 0n] = sequences(({ case: type, value }) => {
    return type === "resourcesReconciled" && value.ends.some(isSame);
  });
  return { batches: sequences(({ case: type, value }) => type === "batch" && isSame(value)), ended };
}
