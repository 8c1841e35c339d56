import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { BatchType, ReconciliationTrigger } from "../../../../gen/proto/evenkeel/v1/batch_pb.ts";
import { DeleteReason, PutObjectSchema } from "../../../../gen/proto/evenkeel/v1/object_pb.ts";
import { ownObservedVersionOf } from "../../../../src/domain/observations.ts";
import { AgentWorld, respond } from "../../../support/agent/agent-world.ts";
import { delay, isList } from "../../../support/agent/intercept.ts";
import { syncedWorld } from "../../../support/agent/synced-world.ts";
import { ref } from "../../../support/store/messages.ts";

const CONNECT = ReconciliationTrigger.CONNECT;

describe("a comparison", () => {
  it("finds at the agent's next start what happened while it was down, and sends nothing else (R10)", async () => {
    await using world = await syncedWorld(["a", "b", "c"]);
    await world.stop();
    world.cluster.delete("configmaps", "default", "a");
    world.configMap("b", "2");
    world.configMap("d", "1");
    await world.start();
    world.backend.ask("configmaps", { trigger: CONNECT });
    await world.advance(2_000);
    expect(world.backend.contents("configmaps")).toEqual(world.truth());
    expect(world.backend.reconciled.at(-1)).toMatchObject({ listed: 3n, equal: 1n, put: 2n, deleted: 1n });
    expect(world.backend.hellos[0]?.instanceId).not.toBe(world.backend.hellos[1]?.instanceId);
  });

  it("repairs rows that were changed and deleted by hand in Postgres, and reads them one by one", async () => {
    await using world = await syncedWorld(Array.from({ length: 200 }, (_, i) => `c${i}`));
    const rows = world.backend.rows.get("configmaps");
    const [first, second] = [...(rows?.entries() ?? [])];
    rows?.delete(first?.[0] ?? "");
    if (second?.[1].put !== undefined) {
      second[1].put.checksum = new Uint8Array();
      second[1].put.content = Buffer.from("{}");
    }
    world.backend.ask("configmaps", { chunkSize: 7 });
    await world.advance(2_000);
    expect(world.backend.contents("configmaps")).toEqual(world.truth());
    expect(world.backend.reconciled.at(-1)).toMatchObject({
      listed: 200n,
      equal: 198n,
      put: 2n,
      deleted: 0n,
    });
    // The list of the run on connect is compared with one read; a few differences are read one by one.
    expect(world.requests.filter((path) => path.includes("configmaps/c"))).toHaveLength(1 + 2);
  });

  it("leaves out objects that are managed", async () => {
    await using world = new AgentWorld();
    world.configMap("a", "1");
    world.configMap("b", "1");
    await world.start();
    world.backend.ask("configmaps", { trigger: CONNECT, managed: ["default/b", "default/c"] });
    await world.advance(2_000);
    expect(Object.keys(world.backend.contents("configmaps"))).toEqual(["default/a"]);
  });

  it("gives its deletes the reason NOT_LISTED, and those of the watch OBSERVED", async () => {
    await using world = await syncedWorld(["a", "b"]);
    world.cluster.delete("configmaps", "default", "a");
    await world.advance();
    world.cluster.faults.loseNextWatchEvent("configmaps");
    world.cluster.delete("configmaps", "default", "b");
    world.backend.ask("configmaps");
    await world.advance(2_000);
    const reasons = world.backend.received.flatMap(({ message }) =>
      message.case === "batch"
        ? message.value.items.flatMap((item) =>
            item.message.case === "deleteObject" ? [item.message.value.reason] : [],
          )
        : [],
    );
    expect(reasons).toEqual([DeleteReason.OBSERVED, DeleteReason.NOT_LISTED]);
  });

  it.each([
    ["a change", (world: AgentWorld) => world.configMap("a", "2")],
    ["a deletion", (world: AgentWorld) => world.cluster.delete("configmaps", "default", "a")],
  ])("waits for %s that the watch is about to deliver, which is no finding (R1)", async (_name, happen) => {
    await using world = new AgentWorld();
    world.configMap("a", "1");
    world.intercept = async ({ query }, go) => {
      const response = await go();
      return query?.["watch"] === undefined
        ? response
        : { ...response, body: delay(world.clock, response.body, 200) };
    };
    await world.start();
    world.backend.ask("configmaps", { trigger: CONNECT });
    await world.advance(2_000);
    const sent = world.backend.received.length;
    happen(world);
    world.backend.ask("configmaps");
    await world.advance(2_000);
    const batches = world.backend.received
      .slice(sent)
      .flatMap(({ message }) => (message.case === "batch" ? [message.value] : []));
    expect(batches.map(({ run }) => run === undefined)).toEqual([true, false]);
  });

  it("deletes an object that the watch sent after the inventory was read, and whose end it has not reported (R95)", async () => {
    await using world = await syncedWorld(["a", "late"]);
    const rows = world.backend.rows.get("configmaps");
    const late = rows?.get("default/late");
    world.cluster.faults.loseNextWatchEvent("configmaps");
    world.cluster.delete("configmaps", "default", "late");
    const listed = world.cluster.store.revision;
    // The Put of the watch is on its way while the inventory is read.
    rows?.delete("default/late");
    world.backend.ask("configmaps");
    if (late !== undefined) {
      rows?.set("default/late", late);
    }
    await world.advance(10_000);
    expect(world.backend.contents("configmaps")).toEqual(world.truth());
    expect(deletesOfRuns(world)).toEqual([String(listed)]);
  });

  it("deletes what a list lacks at the list's version, so that what was observed later stays (R2)", async () => {
    await using world = await syncedWorld(["a", "ghost"]);
    // A row that the cluster does not have: the backend missed the Delete.
    const ghost = world.backend.rows.get("configmaps")?.get("default/ghost");
    world.cluster.delete("configmaps", "default", "ghost");
    await world.advance();
    if (ghost !== undefined) {
      world.backend.rows.get("configmaps")?.set("default/ghost", ghost);
    }
    const listed = world.cluster.store.revision;
    world.backend.ask("configmaps");
    await world.advance(2_000);
    expect(deletesOfRuns(world)).toEqual([String(listed)]);
    expect(world.backend.reconciled.at(-1)).toMatchObject({ deleted: 1n, listVersion: String(listed) });
  });

  it("begins a new incarnation on connect when versions are below the mark of Postgres (R16)", async () => {
    await using world = await syncedWorld(["a"]);
    const backup = world.cluster.store.revision;
    for (let i = 0; i < 9; i++) {
      world.configMap("a", `old ${i}`);
    }
    world.configMap("gone", "1");
    await world.advance();
    await world.stop();
    world.cluster.restore(backup);
    await world.start();
    world.backend.ask("configmaps", { trigger: CONNECT });
    await world.advance(60_000);
    expect(world.backend.contents("configmaps")).toEqual(world.truth());
    expect(world.backend.incarnations.get("configmaps")).toBe(2n);
  });

  it("ends without an effect when a new incarnation begins after its list (R16)", async () => {
    await using world = new AgentWorld({ resources: ["configmaps", "namespaces"] });
    world.configMap("a", "1");
    world.configMap("b", "1");
    await world.start();
    world.backend.ask("configmaps", { trigger: CONNECT });
    world.backend.ask("namespaces", { trigger: CONNECT });
    await world.advance(2_000);
    const backup = world.cluster.store.revision;
    world.cluster.create({ apiVersion: "v1", kind: "Namespace", metadata: { name: "first-history" } });
    world.cluster.faults.loseNextWatchEvent("configmaps");
    world.configMap("a", "first history");
    for (let i = 0; i < 5; i++) {
      world.configMap("b", `first history ${i}`);
    }
    await world.advance();
    let reads = 0;
    world.intercept = async ({ path }, go) => {
      const response = await go();
      if (path.endsWith("/configmaps/a") && ++reads === 1) {
        await world.clock.sleep(new AbortController().signal, 15_000);
      }
      return response;
    };
    world.backend.ask("configmaps");
    await world.advance(5_000);
    world.cluster.restore(backup);
    await world.advance(8_000);
    world.configMap("late", "1");
    await world.advance(1_000);
    expect(world.backend.incarnations.get("configmaps")).toBe(1n);
    await world.advance(10_000);
    expect(world.backend.reconciled.at(-1)?.failure).toMatchObject({ reason: "VersionsWentBack" });
    expect(deletesOfRuns(world)).toEqual([]);
    expect(world.backend.contents("configmaps")).toEqual(world.truth());
  });

  it("reads an object whose version was assigned again between the two lists of a run (R16)", async () => {
    await using world = await syncedWorld(["a", "b"]);
    const backup = world.cluster.store.revision;
    world.configMap("a", "first history");
    await world.advance();
    let lists = 0;
    world.intercept = async ({ path, query }, go) => {
      // The watch stays away, so that only the run sees the lower version.
      if (query?.["limit"] === "1" && lists < 1) {
        return respond(503);
      }
      const response = await go();
      if (isList(path, query) && ++lists === 1) {
        world.configMap("a", "second history");
      }
      return response;
    };
    world.cluster.restore(backup);
    world.backend.ask("configmaps");
    await world.advance(2_500);
    expect(world.backend.reconciled.at(-1)).toMatchObject({ equal: 1n, put: 1n });
    expect(world.backend.contents("configmaps")).toEqual(world.truth());
  });

  it("fails when a part of the inventory is missing (R33)", async () => {
    await using world = await syncedWorld(["a", "b", "c", "d", "e", "f"]);
    world.backend.ask("configmaps", { chunkSize: 2, only: [0, 2] });
    await world.advance(70_000);
    expect(world.backend.reconciled.at(-1)?.failure?.reason).toBe("IncompleteInventory");
    expect(world.backend.reconciled.at(-1)?.listVersion).toBe("");
  });

  it("compares a part that comes twice once (R33)", async () => {
    await using world = await syncedWorld(["a", "b", "c", "d", "e", "f"]);
    const runId = world.backend.ask("configmaps", { chunkSize: 2, only: [0] });
    world.backend.ask("configmaps", { chunkSize: 2, runId });
    await world.advance(2_000);
    expect(world.backend.reconciled.at(-1)).toMatchObject({ equal: 6n, put: 0n, deleted: 0n });
  });

  it("counts what it compared and what was managed", async () => {
    await using world = await syncedWorld(["a", "b", "c"]);
    world.backend.ask("configmaps", { managed: ["default/c"] });
    await world.advance(2_000);
    expect(world.backend.reconciled.at(-1)).toMatchObject({
      listed: 3n,
      compared: 2n,
      equal: 2n,
      managed: 1n,
    });
  });

  it("deletes no row of a namespace that it does not list", async () => {
    await using world = await syncedWorld(["a"], { namespaces: ["default"] });
    const rows = world.backend.rows.get("configmaps");
    const row = rows?.get("default/a");
    const put = row?.put && create(PutObjectSchema, { ...row.put, ref: ref("other/x") });
    if (row !== undefined && put !== undefined) {
      rows?.set("other/x", { ...row, put });
    }
    world.backend.ask("configmaps");
    await world.advance(2_000);
    expect(world.backend.reconciled.at(-1)).toMatchObject({
      listed: 1n,
      compared: 2n,
      equal: 1n,
      deleted: 0n,
    });
    expect(rows?.get("other/x")?.put).toBeDefined();
  });

  it("ends although the watch delivers nothing", async () => {
    await using world = await syncedWorld(["a", "b"]);
    world.intercept = ({ query }, go) => (query?.["watch"] === undefined ? go() : respond(503));
    world.cluster.breakWatches();
    await world.advance(1_000);
    world.configMap("a", "2");
    world.cluster.delete("configmaps", "default", "b");
    world.backend.ask("configmaps");
    await world.advance(2_000);
    expect(world.backend.reconciled.at(-1)).toMatchObject({ put: 1n, deleted: 1n });
    expect(world.backend.contents("configmaps")).toEqual(world.truth());
  });

  it("of a dry run answers in batches of its type, and a later relist still sends the changes (R82)", async () => {
    await using world = await syncedWorld(["a", "b", "c"]);
    world.intercept = ({ query }, go) => (query?.["watch"] === undefined ? go() : respond(503));
    world.cluster.breakWatches();
    await world.advance(1_000);
    world.cluster.delete("configmaps", "default", "a");
    world.configMap("b", "2");
    world.configMap("d", "1");
    const runId = world.backend.ask("configmaps", { dryRun: true });
    await world.advance(2_000);
    expect(world.backend.reconciled.at(-1)).toMatchObject({ run: { runId }, put: 2n, deleted: 1n });
    expect(world.backend.judged.map(({ type, run }) => [type, run?.runId])).toEqual([
      [BatchType.DRY_RUN, runId],
    ]);
    expect(world.backend.judged[0]?.items).toHaveLength(3);
    expect(world.backend.contents("configmaps")).not.toEqual(world.truth());
    world.cluster.compact();
    world.intercept = (_request, go) => go();
    await world.advance(60_000);
    expect(world.backend.contents("configmaps")).toEqual(world.truth());
  });

  it("compares a resource type without objects and without rows", async () => {
    await using world = await syncedWorld([]);
    expect(world.backend.reconciled).toMatchObject([{ listed: 0n, equal: 0n, put: 0n, deleted: 0n }]);
    expect(world.backend.reconciled[0]?.failure).toBeUndefined();
  });
});

/** Returns the observed versions of the Deletes that runs sent. */
function deletesOfRuns({ backend }: AgentWorld): (string | undefined)[] {
  return backend.received.flatMap(({ message }) =>
    message.case === "batch" && message.value.run !== undefined
      ? message.value.items.flatMap((item) =>
          item.message.case === "deleteObject" ? [ownObservedVersionOf(item)] : [],
        )
      : [],
  );
}
