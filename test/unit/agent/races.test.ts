import { describe, expect, it } from "vitest";
import { ReconciliationTrigger } from "../../../gen/proto/evenkeel/v1/batch_pb.ts";
import { ownObservedVersionOf } from "../../../src/domain/observations.ts";
import { AgentWorld, respond } from "../../support/agent/agent-world.ts";

const CONNECT = ReconciliationTrigger.CONNECT;
const isList = (path: string, query: Readonly<Record<string, string>> = {}): boolean =>
  path.endsWith("/configmaps") && query["watch"] === undefined && query["limit"] !== "1";

async function startedWith(names: readonly string[]): Promise<AgentWorld> {
  const world = new AgentWorld();
  for (const name of names) {
    world.configMap(name, "1");
  }
  await world.start();
  world.backend.ask("configmaps", { trigger: CONNECT });
  await world.advance(2_000);
  expect(world.backend.contents("configmaps")).toEqual(world.truth());
  return world;
}

describe("R6: a stale list", () => {
  it("is refused, and deletes nothing", async () => {
    await using world = await startedWith(["a"]);
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
    expect(world.backend.reconciled.at(-1)).toMatchObject({ equal: 2n, put: 0n, deleted: 0n });
    expect(world.backend.incarnations.get("configmaps") ?? 0n).toBe(0n);
  });

  it("is refused after a watch that expired", async () => {
    await using world = await startedWith(["a"]);
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
});

describe("R7: a continue token that expires", () => {
  it("makes no list of the pages before it", async () => {
    const names = Array.from({ length: 1_200 }, (_, i) => `c${i}`);
    await using world = await startedWith(names);
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

describe("R8: the gap between list and watch", () => {
  it("loses nothing that is written right after the list", async () => {
    await using world = new AgentWorld();
    world.configMap("a", "1");
    let lists = 0;
    world.intercept = async ({ path, query }, go) => {
      const response = await go();
      if (isList(path, query) && ++lists === 1) {
        world.configMap("b", "1");
        world.cluster.delete("configmaps", "default", "a");
      }
      return response;
    };
    await world.start();
    world.backend.ask("configmaps", { trigger: CONNECT });
    await world.advance(2_000);
    expect(world.backend.contents("configmaps")).toEqual(world.truth());
  });

  it("finds by a new list what happened while the watch was away too long", async () => {
    await using world = await startedWith(["a", "b", "c"]);
    world.intercept = ({ query }, go) => (query?.["watch"] === undefined ? go() : respond(503));
    world.cluster.breakWatches();
    await world.advance(1_000);
    world.cluster.delete("configmaps", "default", "a");
    world.configMap("b", "2");
    world.configMap("d", "1");
    world.cluster.compact();
    world.intercept = (_request, go) => go();
    await world.advance(60_000);
    expect(world.backend.contents("configmaps")).toEqual(world.truth());
    expect(world.agent.counters.lists).toBe(2);
  });
});

describe("R9: a bookmark", () => {
  it("moves where the watch goes on from, and says nothing of any object", async () => {
    await using world = await startedWith(["a"]);
    const sent = world.backend.received.length;
    world.cluster.create({
      apiVersion: "v1",
      kind: "Secret",
      metadata: { namespace: "default", name: "other" },
    });
    await world.advance(120_000);
    const bookmarked = String(world.cluster.store.revision);
    expect(world.agent.counters.events).toBeGreaterThan(0);
    world.cluster.breakWatches();
    await world.advance(30_000);
    expect(world.requests.findLast((url) => url.includes("watch=true"))).toContain(
      `resourceVersion=${bookmarked}`,
    );
    expect(world.backend.received.length).toBe(sent);
    expect(world.agent.counters.lists).toBe(1);
  });
});

describe("R11: what is not a finished list", () => {
  it.each([403, 404, 500, 503])(
    "%d is not an empty list, neither for a run nor after 410",
    async (status) => {
      await using world = await startedWith(["a", "b"]);
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
    ["no items", { metadata: { resourceVersion: "999" } }],
    ["no version", { metadata: {}, items: [] }],
  ])("%s is none", async (_name, body) => {
    await using world = await startedWith(["a"]);
    const before = world.backend.contents("configmaps");
    world.intercept = ({ path, query }, go) => (isList(path, query) ? respond(200, body) : go());
    world.backend.ask("configmaps");
    await world.advance(2_000);
    expect(world.backend.contents("configmaps")).toEqual(before);
    expect(world.backend.reconciled.at(-1)?.failure?.reason).toBe("MalformedResponse");
  });
});

describe("what is in flight", () => {
  it.each([
    ["a change", (world: AgentWorld) => world.configMap("a", "2")],
    ["a deletion", (world: AgentWorld) => world.cluster.delete("configmaps", "default", "a")],
  ])(
    "R1: %s is no finding: the comparison waits a moment for what the watch is about to deliver",
    async (_name, happen) => {
      await using world = new AgentWorld();
      world.configMap("a", "1");
      world.intercept = async ({ query }, go) => {
        const response = await go();
        return query?.["watch"] === undefined
          ? response
          : { ...response, body: delayed(world, response.body, 200) };
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
    },
  );

  it("is not sent again when the watch comes to what a new list has already shown", async () => {
    await using world = await startedWith(["a"]);
    world.intercept = ({ query }, go) => (query?.["watch"] === undefined ? go() : respond(503));
    world.cluster.breakWatches();
    await world.advance(1_000);
    world.configMap("a", "2");
    world.cluster.compact();
    let reads = 0;
    world.intercept = ({ path }, go) => {
      if (path.endsWith("/configmaps/a") && ++reads === 1) {
        world.configMap("a", "3");
        world.configMap("a", "4");
      }
      return go();
    };
    const sent = world.backend.received.length;
    await world.advance(60_000);
    expect(world.backend.contents("configmaps")).toEqual(world.truth());
    const versions = world.backend.received
      .slice(sent)
      .flatMap(({ message }) =>
        message.case === "batch" ? message.value.items.map((item) => BigInt(ownObservedVersionOf(item))) : [],
      );
    expect(versions.length).toBeGreaterThan(0);
    expect(new Set(versions).size).toBe(1);
  });
});

describe("R16: an etcd restored from a backup", () => {
  it("makes a new incarnation while the agent is up, and converges", async () => {
    await using world = await startedWith(["a", "b"]);
    const backup = world.cluster.store.revision;
    world.configMap("a", "old timeline");
    world.configMap("gone", "1");
    for (let i = 0; i < 5; i++) {
      world.configMap("b", `old ${i}`);
    }
    await world.advance();
    world.cluster.restore(backup);
    // The same version numbers as before, for other writes.
    world.configMap("a", "new timeline");
    await world.advance(60_000);
    expect(world.backend.contents("configmaps")).toEqual(world.truth());
    expect(world.backend.incarnations.get("configmaps")).toBe(1n);
    world.configMap("b", "later");
    await world.advance();
    expect(world.backend.contents("configmaps")).toEqual(world.truth());
    world.backend.ask("configmaps");
    await world.advance(2_000);
    expect(world.backend.reconciled.at(-1)).toMatchObject({
      equal: 2n,
      put: 0n,
      deleted: 0n,
      incarnation: 1n,
    });
  });

  it("is found at the start against the mark that Postgres has", async () => {
    await using world = await startedWith(["a"]);
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
});

describe("R17: versions that do not compare", () => {
  it("are never watched, only listed, and have no observed version", async () => {
    await using world = new AgentWorld();
    world.configMap("a", "1");
    world.intercept = async ({ path }, go) => {
      const response = await go();
      return path.includes("/configmaps")
        ? {
            ...response,
            body: rewrite(response.body, /"resourceVersion":"(\d+)"/g, '"resourceVersion":"v-$1"'),
          }
        : response;
    };
    await world.start();
    world.backend.ask("configmaps", { trigger: CONNECT });
    await world.advance(2_000);
    expect(world.agent.counters.watches).toBe(0);
    expect(world.backend.reconciled.at(-1)).toMatchObject({ listVersion: "", put: 1n });
    const put = world.backend.rows.get("configmaps")?.get("default/a")?.put;
    expect(put).toMatchObject({ observedVersion: "", resourceVersion: expect.stringMatching(/^v-\d+$/) });
    world.backend.ask("configmaps");
    await world.advance(2_000);
    expect(world.backend.reconciled.at(-1)).toMatchObject({ equal: 1n, put: 0n });
  });
});

describe("an object that has no canonical form", () => {
  it("is sent once without its content, and holds up no other (R37)", async () => {
    await using world = await startedWith(["a"]);
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

describe("R33: an inventory in parts", () => {
  const names = ["a", "b", "c", "d", "e", "f"];

  it("does not count with a part missing", async () => {
    await using world = await startedWith(names);
    world.backend.ask("configmaps", { chunkSize: 2, only: [0, 2] });
    await world.advance(70_000);
    expect(world.backend.reconciled.at(-1)?.failure?.reason).toBe("IncompleteInventory");
    expect(world.backend.reconciled.at(-1)?.listVersion).toBe("");
  });

  it("starts over with a higher attempt, and ignores what is left of the lower one", async () => {
    await using world = await startedWith(names);
    const runId = world.backend.ask("configmaps", { chunkSize: 2, only: [0] });
    await world.advance(500);
    world.backend.ask("configmaps", { chunkSize: 3, only: [0], runId, attempt: 2 });
    world.backend.ask("configmaps", { chunkSize: 2, only: [1, 2], runId, attempt: 1 });
    await world.advance(500);
    expect(world.backend.reconciled).toHaveLength(1);
    world.backend.ask("configmaps", { chunkSize: 3, only: [1], runId, attempt: 2 });
    await world.advance(2_000);
    expect(world.backend.reconciled).toHaveLength(2);
    expect(world.backend.reconciled.at(-1)).toMatchObject({
      run: { attempt: 2 },
      equal: 6n,
      put: 0n,
      deleted: 0n,
    });
    expect(world.backend.reconciled.at(-1)?.failure).toBeUndefined();
  });

  it("takes a part that comes twice once", async () => {
    await using world = await startedWith(names);
    const runId = world.backend.ask("configmaps", { chunkSize: 2, only: [0] });
    world.backend.ask("configmaps", { chunkSize: 2, runId });
    await world.advance(2_000);
    expect(world.backend.reconciled.at(-1)).toMatchObject({ equal: 6n, put: 0n, deleted: 0n });
  });
});

async function* rewrite(
  body: AsyncIterable<Uint8Array>,
  pattern: RegExp,
  replacement: string,
): AsyncGenerator<Uint8Array> {
  for await (const chunk of body) {
    yield Buffer.from(Buffer.from(chunk).toString().replaceAll(pattern, replacement));
  }
}

async function* delayed(
  world: AgentWorld,
  body: AsyncIterable<Uint8Array>,
  ms: number,
): AsyncGenerator<Uint8Array> {
  for await (const chunk of body) {
    await world.clock.sleep(new AbortController().signal, ms);
    yield chunk;
  }
}
