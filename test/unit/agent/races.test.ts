import { describe, expect, it } from "vitest";
import { ReconciliationTrigger } from "../../../gen/proto/evenkeel/v1/batch_pb.ts";
import { AgentWorld, respond } from "../../support/agent/agent-world.ts";
import { askAll } from "../../support/agent/custom-types.ts";
import { isList, rewrite } from "../../support/agent/intercept.ts";
import { syncedWorld } from "../../support/agent/synced-world.ts";

describe("R6: a stale list", () => {
  it("is refused, and deletes nothing", async () => {
    await using world = await syncedWorld(["a"]);
    const past = world.cluster.store.revision;
    world.configMap("new", "1");
    await world.advance();
    const before = world.backend.contents("configmaps");
    world.cluster.faults.staleLists = { revision: past, affects: "all" };
    world.backend.ask("configmaps");
    await world.advance(1_000);
    world.cluster.faults.staleLists = undefined;
    expect(world.backend.contents("configmaps")).toEqual(before);
    await world.advance(10_000);
    expect(world.backend.contents("configmaps")).toEqual(world.truth());
    // The object whose version the stale list lacked is read, in case that version has two histories.
    expect(world.backend.reconciled.at(-1)).toMatchObject({ equal: 1n, put: 1n, deleted: 0n });
    expect(world.backend.incarnations.get("configmaps") ?? 0n).toBe(0n);
  });

  it("is refused after a watch that expired", async () => {
    await using world = await syncedWorld(["a"]);
    const past = world.cluster.store.revision;
    world.configMap("new", "1");
    await world.advance();
    world.cluster.faults.staleLists = { revision: past, affects: "all" };
    world.cluster.faults.forceResponse({
      status: 410,
      reason: "Expired",
      matches: (url) => url.includes("watch=true"),
    });
    world.cluster.breakWatches();
    await world.advance(1_500);
    world.cluster.faults.staleLists = undefined;
    await world.advance(30_000);
    expect(world.backend.contents("configmaps")).toEqual(world.truth());
    expect(world.backend.incarnations.get("configmaps") ?? 0n).toBe(0n);
  });

  it("is refused if one resource type lags for 25 s, and as long as some responses are right", async () => {
    await using world = new AgentWorld({ resources: ["configmaps", "namespaces"] });
    world.configMap("a", "1");
    await world.start();
    askAll(world, ["configmaps", "namespaces"], ReconciliationTrigger.CONNECT);
    await world.advance(2_000);
    const past = world.cluster.store.revision;
    world.configMap("new", "1");
    await world.advance();
    const before = world.backend.contents("configmaps");
    const { faults } = world.cluster;
    faults.staleLists = { revision: past, affects: "all", resourceKey: "configmaps" };
    // Every 25 s, another replica answers a probe.
    let answeredAt = world.clock.monotonic();
    world.intercept = async ({ path, query }, go) => {
      const isDue = world.clock.monotonic() - answeredAt >= 25_000;
      if (!isDue || !path.endsWith("/configmaps") || query?.["limit"] !== "1") {
        return await go();
      }
      answeredAt = world.clock.monotonic();
      const lagging = faults.staleLists;
      faults.staleLists = undefined;
      const response = await go();
      faults.staleLists = lagging;
      return response;
    };
    world.cluster.breakWatches();
    world.backend.ask("configmaps");
    await world.advance(90_000);
    expect(world.backend.contents("configmaps")).toEqual(before);
    expect(world.backend.incarnations.get("configmaps") ?? 0n).toBe(0n);
    faults.staleLists = undefined;
    await world.advance(60_000);
    expect(world.backend.contents("configmaps")).toEqual(world.truth());
    expect(world.backend.incarnations.get("configmaps") ?? 0n).toBe(0n);
  });
});

describe("R7: a continue token that expires", () => {
  it("makes no list of the pages before it", async () => {
    const names = Array.from({ length: 1_200 }, (_, i) => `c${i}`);
    await using world = await syncedWorld(names);
    const before = world.backend.contents("configmaps");
    world.cluster.faults.forceResponse({
      status: 410,
      reason: "Expired",
      matches: (url) => url.includes("continue="),
    });
    world.backend.ask("configmaps");
    await world.advance(2_000);
    expect(world.backend.contents("configmaps")).toEqual(before);
    expect(world.backend.reconciled.at(-1)?.failure?.reason).toBe("Expired");
    world.backend.ask("configmaps");
    await world.advance(2_000);
    expect(world.backend.reconciled.at(-1)).toMatchObject({ listed: 1_200n, equal: 1_200n });
  });
});

describe("R11: what is not a finished list", () => {
  it.each([403, 404, 500, 503])(
    "%d is not an empty list, neither for a run nor after 410",
    async (status) => {
      await using world = await syncedWorld(["a", "b"]);
      const before = world.backend.contents("configmaps");
      world.intercept = ({ path }, go) => (path.endsWith("/configmaps") ? respond(status) : go());
      world.cluster.breakWatches();
      world.backend.ask("configmaps");
      await world.advance(120_000);
      expect(world.backend.contents("configmaps")).toEqual(before);
      expect(world.backend.reconciled.at(-1)?.failure?.reason).toMatch(
        /^(Forbidden|NotFound|InternalError|ServiceUnavailable)$/,
      );
      world.intercept = (_request, go) => go();
      world.configMap("c", "1");
      await world.advance(120_000);
      expect(world.backend.contents("configmaps")).toEqual(world.truth());
    },
  );

  it.each([
    ["a proxy's page", "<html>"],
    ["no items", { kind: "ConfigMapList", metadata: { resourceVersion: "999" } }],
    ["no kind of a list", { metadata: { resourceVersion: "999" }, items: [] }],
  ])("%s is none", async (_name, body) => {
    await using world = await syncedWorld(["a"]);
    const before = world.backend.contents("configmaps");
    world.intercept = ({ path, query }, go) => (isList(path, query) ? respond(200, body) : go());
    world.backend.ask("configmaps");
    await world.advance(60_000);
    expect(world.backend.contents("configmaps")).toEqual(before);
    expect(world.backend.reconciled.at(-1)?.failure?.reason).toBe("MalformedResponse");
  });
});

describe("an object that has no canonical form", () => {
  it("is sent once without its content, and holds up no other (R37)", async () => {
    await using world = await syncedWorld(["a"]);
    world.intercept = async (_request, go) => {
      const response = await go();
      return { ...response, body: rewrite(response.body, /"value":"monster"/g, '"value":1e999999') };
    };
    world.cluster.breakWatches();
    await world.advance(1_000);
    world.configMap("bad", "monster");
    world.configMap("good", "1");
    await world.advance();
    expect(world.agent.counters.quarantined).toBe(1);
    const rows = world.backend.rows.get("configmaps");
    expect(rows?.get("default/bad")?.put).toMatchObject({
      quarantineReason: expect.stringMatching(/Infinity|number/),
    });
    rows?.delete("default/good");
    world.backend.ask("configmaps");
    await world.advance(2_000);
    const last = world.backend.reconciled.at(-1);
    expect(last).toMatchObject({ put: 1n, equal: 2n });
    expect(last?.failure).toBeUndefined();
    expect(world.agent.counters.quarantined).toBe(1);
  });
});
