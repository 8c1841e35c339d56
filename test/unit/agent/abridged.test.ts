import { describe, expect, it } from "vitest";
import { ReconciliationTrigger } from "../../../gen/proto/evenkeel/v1/batch_pb.ts";
import { AgentWorld, respond } from "../../support/agent/agent-world.ts";
import { rewriteJson } from "../../support/agent/rewrite-json.ts";

const CONNECT = ReconciliationTrigger.CONNECT;

interface Served {
  readonly metadata?: Readonly<Record<string, unknown>>;
  readonly items?: readonly Served[] | null;
  readonly object?: Served;
}

interface AbridgedOptions {
  readonly withoutVersion?: boolean;
  /** Names of the objects that are shown whole. */
  readonly whole?: readonly string[];
  readonly isWatchAbridged?: boolean;
}

/** Serves lists and watches of ConfigMaps without data. */
function abridge(
  world: AgentWorld,
  { withoutVersion = false, whole = [], isWatchAbridged = true }: AbridgedOptions = {},
): void {
  const strip = (object: Served): Served =>
    whole.includes(String(object.metadata?.["name"])) ? object : { ...object, ...{ data: {} } };
  const change = (served: Served): Served => {
    if (served.object !== undefined) {
      return isWatchAbridged ? { ...served, object: strip(served.object) } : served;
    }
    const { resourceVersion: _, ...metadata } = served.metadata ?? {};
    return {
      ...served,
      ...(withoutVersion ? { metadata } : {}),
      ...(served.items === undefined ? {} : { items: served.items?.map(strip) ?? null }),
    };
  };
  world.intercept = async ({ path }, go) => {
    const response = await go();
    return path.endsWith("/configmaps")
      ? rewriteJson(response, (served) => change(served as Served))
      : response;
  };
}

function create(world: AgentWorld, count: number): void {
  for (let i = 0; i < count; i++) {
    world.configMap(`c${String(i).padStart(4, "0")}`, "1");
  }
}

describe("a resource type whose lists are abridged (R55)", () => {
  it.each([
    [40, false],
    [60, false],
    [1_000, false],
    [40, true],
    [60, true],
    [1_000, true],
  ])("has %d whole rows; lists without version: %s", async (count, withoutVersion) => {
    await using world = new AgentWorld();
    abridge(world, { withoutVersion });
    create(world, count);
    await world.start();
    world.backend.ask("configmaps", { trigger: CONNECT });
    await world.advance(5_000);
    expect(world.backend.contents("configmaps")).toEqual(world.truth());
    expect(world.backend.reconciled.at(-1)?.failure).toBeUndefined();
    world.configMap("c0001", "2");
    world.configMap("later", "1");
    await world.advance(2_000);
    world.backend.ask("configmaps");
    await world.advance(5_000);
    expect(world.backend.contents("configmaps")).toEqual(world.truth());
    world.backend.ask("configmaps");
    await world.advance(5_000);
    expect(world.backend.reconciled.at(-1)).toMatchObject({ put: 0n, equal: BigInt(count + 1) });
  });

  it("stays whole by its watch, whose events only cause reads", async () => {
    await using world = new AgentWorld();
    abridge(world);
    create(world, 3);
    await world.start();
    world.backend.ask("configmaps", { trigger: CONNECT });
    await world.advance(2_000);
    for (const value of ["2", "3", "4"]) {
      world.configMap("c0000", value);
      world.configMap("new", value);
      await world.advance(2_000);
      expect(world.backend.contents("configmaps")).toEqual(world.truth());
    }
    world.cluster.delete("configmaps", "default", "new");
    await world.advance(2_000);
    expect(world.backend.contents("configmaps")).toEqual(world.truth());
  });

  it("replaces the rows that were written before a sample was abridged", async () => {
    await using world = new AgentWorld();
    abridge(world, { whole: ["c0000"], isWatchAbridged: false });
    create(world, 60);
    await world.start();
    world.backend.ask("configmaps", { trigger: CONNECT });
    await world.advance(5_000);
    // The sample was whole by chance.
    expect(world.backend.contents("configmaps")).not.toEqual(world.truth());
    for (const key of [...(world.backend.rows.get("configmaps")?.keys() ?? [])].slice(1, 52)) {
      world.backend.rows.get("configmaps")?.delete(key);
    }
    world.backend.ask("configmaps");
    await world.advance(5_000);
    expect(world.backend.reconciled.at(-1)).toMatchObject({ listed: 60n, put: 60n, equal: 0n });
    expect(world.backend.contents("configmaps")).toEqual(world.truth());
  });

  it("is checked once by its watch, and in each run that reads pages", async () => {
    await using world = new AgentWorld();
    create(world, 60);
    await world.start();
    const reads = () => world.requests.filter((url) => /configmaps\/c\d+/.test(url)).length;
    world.configMap("c0001", "2");
    await world.advance(1_000);
    world.configMap("c0001", "3");
    await world.advance(1_000);
    expect(reads()).toBe(1);
    world.backend.ask("configmaps", { trigger: CONNECT });
    await world.advance(5_000);
    expect(reads()).toBe(2);
    expect(world.backend.contents("configmaps")).toEqual(world.truth());
  });

  it("is not copied from a watch while its first read fails", async () => {
    await using world = new AgentWorld();
    abridge(world);
    await world.start();
    world.backend.ask("configmaps", { trigger: CONNECT });
    await world.advance(5_000);
    const served = world.intercept;
    world.intercept = async (request, go) =>
      request.path.endsWith("/configmaps/first")
        ? respond(404, "404 page not found")
        : await served(request, go);
    world.configMap("first", "1");
    await world.advance(2_000);
    world.intercept = served;
    world.backend.ask("configmaps");
    await world.advance(5_000);
    expect(world.backend.contents("configmaps")).toEqual(world.truth());
  });

  it("is copied as the lists show it when the role allows no single reads", async () => {
    await using world = new AgentWorld();
    create(world, 60);
    world.intercept = ({ path }, go) => (/configmaps\/c\d+/.test(path) ? respond(403) : go());
    await world.start();
    world.backend.ask("configmaps", { trigger: CONNECT });
    await world.advance(5_000);
    world.configMap("c0001", "2");
    await world.advance(1_000);
    expect(world.backend.contents("configmaps")).toEqual(world.truth());
  });
});
