import { describe, expect, it } from "vitest";
import { ReconciliationTrigger } from "../../../gen/proto/evenkeel/v1/batch_pb.ts";
import { parseExact } from "../../../src/domain/canonical-json.ts";
import { AgentWorld } from "../../support/agent/agent-world.ts";
import { rewriteJson } from "../../support/agent/rewrite-json.ts";

const CONNECT = ReconciliationTrigger.CONNECT;

interface Served {
  metadata?: Record<string, unknown>;
  items?: Served[] | null;
  object?: Served;
  [field: string]: unknown;
}

/** Removes fields of the metadata of lists or of objects from the answers about ConfigMaps. */
function omit(
  world: AgentWorld,
  of: "lists" | "objects" | "both",
  fields: readonly string[],
  value?: unknown,
): void {
  const without = (metadata: Record<string, unknown> = {}): Record<string, unknown> => ({
    ...Object.fromEntries(Object.entries(metadata).filter(([field]) => !fields.includes(field))),
    ...(value === undefined ? {} : Object.fromEntries(fields.map((field) => [field, value]))),
  });
  const change = (served: Served): Served => {
    if (served.object !== undefined) {
      return { ...served, object: change(served.object) };
    }
    const isList = "items" in served;
    const isChanged = of === "both" || (of === "lists") === isList;
    return {
      ...served,
      ...(isChanged && served["kind"] !== "Status" ? { metadata: without(served.metadata) } : {}),
      ...(isList ? { items: served.items?.map(change) ?? null } : {}),
    };
  };
  world.intercept = async ({ path }, go) => {
    const response = await go();
    return path.includes("/configmaps")
      ? rewriteJson(response, (served) => change(served as Served))
      : response;
  };
}

/** Returns the data of the rows by key. */
function data(world: AgentWorld): Record<string, unknown> {
  const contents = Object.entries(world.backend.contents("configmaps"));
  return Object.fromEntries(contents.map(([key, text]) => [key, (parseExact(text) as Served)["data"]]));
}

describe("a resource type without versions (R53)", () => {
  it.each([
    ["lists without version", "lists", ["resourceVersion"], undefined],
    ["lists with an empty version", "lists", ["resourceVersion"], ""],
    ["lists with a version of null", "lists", ["resourceVersion"], null],
    ["objects without version", "objects", ["resourceVersion"], undefined],
    ["objects with an empty version", "objects", ["resourceVersion"], ""],
    ["objects without uid", "objects", ["uid"], undefined],
    ["nothing of them", "both", ["resourceVersion", "uid"], undefined],
  ] as const)("is only listed and ordered by position: %s", async (_name, of, fields, value) => {
    await using world = new AgentWorld();
    omit(world, of, fields, value);
    world.configMap("a", "1");
    world.configMap("b", "1");
    await world.start();
    world.backend.ask("configmaps", { trigger: CONNECT });
    await world.advance(2_000);
    expect(world.agent.counters.watches).toBe(0);
    expect(world.backend.reconciled.at(-1)).toMatchObject({ listVersion: "", listed: 2n, put: 2n });
    expect(world.backend.reconciled.at(-1)?.failure).toBeUndefined();
    const puts = [...(world.backend.rows.get("configmaps")?.values() ?? [])].map(({ put }) => put);
    expect(puts.map((put) => put?.observedVersion)).toEqual(["", ""]);

    world.configMap("a", "2");
    world.cluster.delete("configmaps", "default", "b");
    world.configMap("c", "1");
    world.backend.ask("configmaps");
    await world.advance(2_000);
    expect(data(world)).toEqual({ "default/a": { value: "2" }, "default/c": { value: "1" } });
    expect(world.backend.reconciled.at(-1)).toMatchObject({ listed: 2n, put: 2n, deleted: 1n });

    world.backend.ask("configmaps");
    await world.advance(2_000);
    expect(world.backend.reconciled.at(-1)).toMatchObject({ listed: 2n, equal: 2n, put: 0n, deleted: 0n });
  });

  it("compares many objects without versions by their contents, which it reads by pages", async () => {
    await using world = new AgentWorld();
    omit(world, "both", ["resourceVersion"]);
    for (let i = 0; i < 300; i++) {
      world.configMap(`c${i}`, "1");
    }
    await world.start();
    world.backend.ask("configmaps", { trigger: CONNECT });
    await world.advance(2_000);
    world.configMap("c7", "2");
    const sent = world.requests.length;
    world.backend.ask("configmaps");
    await world.advance(2_000);
    expect(world.backend.reconciled.at(-1)).toMatchObject({ listed: 300n, equal: 299n, put: 1n });
    expect(world.requests.length - sent).toBeLessThan(10);
  });

  it("keeps the order by versions when a single object has none", async () => {
    await using world = new AgentWorld();
    world.configMap("a", "1");
    world.configMap("odd", "1");
    world.intercept = async ({ path }, go) => {
      const response = await go();
      const strip = (served: Served): Served =>
        served.metadata?.["name"] === "odd"
          ? { ...served, metadata: { ...served.metadata, resourceVersion: "" } }
          : {
              ...served,
              ...(served.object === undefined ? {} : { object: strip(served.object) }),
              ...(served.items === undefined ? {} : { items: served.items?.map(strip) ?? null }),
            };
      return path.includes("/configmaps")
        ? rewriteJson(response, (served) => strip(served as Served))
        : response;
    };
    await world.start();
    world.backend.ask("configmaps", { trigger: CONNECT });
    await world.advance(2_000);
    world.configMap("odd", "2");
    world.configMap("a", "2");
    await world.advance(60_000);
    expect(data(world)).toEqual({ "default/a": { value: "2" }, "default/odd": { value: "2" } });
    world.backend.ask("configmaps");
    await world.advance(2_000);
    expect(world.backend.reconciled.at(-1)).toMatchObject({ equal: 2n, put: 0n });
    expect(world.backend.reconciled.at(-1)?.listVersion).not.toBe("");
  });

  it("ends its watch when its objects turn out to have no versions", async () => {
    await using world = new AgentWorld();
    await world.start();
    world.backend.ask("configmaps", { trigger: CONNECT });
    await world.advance(2_000);
    expect(world.agent.counters.watches).toBe(1);
    omit(world, "both", ["resourceVersion"]);
    world.cluster.breakWatches();
    await world.advance(1_000);
    world.configMap("a", "1");
    await world.advance(60_000);
    const { watches, lists } = world.agent.counters;
    await world.advance(600_000);
    expect(world.agent.counters).toMatchObject({ watches, lists });
    world.backend.ask("configmaps");
    await world.advance(2_000);
    expect(data(world)).toEqual({ "default/a": { value: "1" } });
  });
});
