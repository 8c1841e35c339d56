import { describe, expect, it } from "vitest";
import { AgentWorld, respond } from "../../support/agent/agent-world.ts";

const DISCOVERY_MS = 5 * 60_000;
/** Messages of the log. */
const NOT_ANSWERED = "group did not answer discovery; its resource types keep their rows";
const NOT_AS_CONFIGURED = "the scope is not as configured";

const numbered = (count: number, name: string): string[] =>
  Array.from({ length: count }, (_, index) => `${name}${index}`);

function declared(world: AgentWorld) {
  return world.backend.scopes.at(-1);
}

function fieldsOf(world: AgentWorld, message: string) {
  return world.log.entries.filter((entry) => entry.message === message).map(({ fields }) => fields);
}

/** Answers discovery with one more group, which has these resource types. */
function serveGroup(world: AgentWorld, group: string, resources: readonly object[]): void {
  const version = { groupVersion: `${group}/v1`, version: "v1" };
  world.intercept = async ({ path }, go) => {
    if (path === "/apis") {
      return respond(200, { groups: [{ name: group, versions: [version], preferredVersion: version }] });
    }
    if (path.startsWith(`/apis/${group}/v1`)) {
      return path === `/apis/${group}/v1` ? respond(200, { resources }) : respond(403);
    }
    return await go();
  };
}

describe("the scope that an agent declares", () => {
  it("is declared again only after it changes, whatever discoveries follow", async () => {
    await using world = new AgentWorld({ resources: ["*", "nosuch.apps"] });
    world.intercept = ({ path }, go) => (path === "/apis/apps/v1" ? respond(503) : go());
    await world.start();
    await world.advance(4 * DISCOVERY_MS);
    expect(world.requests.filter((request) => request === "/apis?").length).toBeGreaterThan(4);
    expect(world.backend.scopes).toHaveLength(1);
  });

  it("names each namespace once, in order", async () => {
    await using world = new AgentWorld({ namespaces: ["b", "kube-system", "a", "b"] });
    await world.start();
    expect(declared(world)?.namespaces).toEqual(["a", "b", "kube-system"]);
  });

  it("has the reason why a group did not answer, shortened to what the contract carries", async () => {
    await using world = new AgentWorld({ resources: ["*"] });
    world.intercept = ({ path }, go) =>
      path === "/apis/apps/v1" ? respond(503, { kind: "Status", message: "x".repeat(2_000) }) : go();
    await world.start();
    const [group] = declared(world)?.undecided ?? [];
    expect(group).toMatchObject({ group: "apps", version: "v1", failure: { reason: "ServiceUnavailable" } });
    expect(group?.failure?.message).toMatch(/^KubeUnavailableError: GET \/apis\/apps\/v1: 503 .*x$/);
    expect(group?.failure?.message).toHaveLength(500);
  });

  it("names at most 1,000 groups that did not answer", async () => {
    await using world = new AgentWorld({ resources: ["*"] });
    const groups = numbered(1_001, "group").map((name) => ({ name, versions: [{ version: "v1" }] }));
    world.intercept = ({ path }, go) => {
      if (path === "/apis") {
        return respond(200, { groups });
      }
      return path.startsWith("/apis/group") ? respond(503) : go();
    };
    await world.start();
    expect(declared(world)?.undecided).toHaveLength(1_000);
  });

  it("has at most 100 warnings", async () => {
    await using world = new AgentWorld({ resources: ["configmaps", ...numbered(150, "nosuch")] });
    await world.start();
    expect(declared(world)?.warnings).toHaveLength(100);
  });

  it("warns of the resource types that one declaration cannot carry, and does not read them", async () => {
    await using world = new AgentWorld({ resources: ["*.example.com"] });
    const categories = numbered(64, "c".repeat(61)).map((name) => name.slice(0, 63));
    const resources = numbered(900, "type").map((name) => ({
      ...{ name, kind: "Type", namespaced: true, verbs: ["list", "watch"] },
      categories,
    }));
    serveGroup(world, "example.com", resources);
    await world.start();
    const count = declared(world)?.resources.length ?? 0;
    expect(count).toBeGreaterThan(500);
    expect(count).toBeLessThan(900);
    expect(declared(world)?.warnings).toEqual([
      `${900 - count} resource types are not read, because a scope holds at most ${count} of them; the first is ` +
        `"${resources.map(({ name }) => `${name}.example.com`).toSorted()[count]}"; select fewer with --resources or ` +
        "--exclude-resources",
    ]);
  });
});

describe("the configuration of the scope", () => {
  it("is checked again with each discovery: a warning ends when the namespace exists", async () => {
    await using world = new AgentWorld({ namespaces: ["later"] });
    await world.start();
    const warning = 'namespace "later": does not exist; check its spelling';
    expect(declared(world)?.warnings).toEqual([warning]);
    world.cluster.create({ apiVersion: "v1", kind: "Namespace", metadata: { name: "later" } });
    await world.advance(DISCOVERY_MS + 10_000);
    expect(declared(world)?.warnings).toEqual([]);
    world.cluster.delete("namespaces", "", "later");
    await world.advance(DISCOVERY_MS + 10_000);
    expect(declared(world)?.warnings).toEqual([warning]);
    expect(fieldsOf(world, NOT_AS_CONFIGURED)).toEqual([{ warning }, { warning }]);
  });

  it.each([
    ["an API server that is not ready", "/readyz"],
    ["a group that does not answer", "/apis/apps/v1"],
  ])("keeps its warnings after %s", async (_, unanswered) => {
    await using world = new AgentWorld({ resources: ["*", "nosuch.apps"] });
    await world.start();
    const before = declared(world)?.warnings;
    expect(before).toHaveLength(1);
    world.intercept = ({ path }, go) => (path === unanswered ? respond(503) : go());
    await world.advance(2 * DISCOVERY_MS);
    expect(declared(world)?.warnings).toEqual(before);
  });

  it("is no reason for a warning if the agent may not read the namespace itself", async () => {
    await using world = new AgentWorld({ namespaces: ["hidden", "typo"] });
    world.intercept = ({ path }, go) => (path === "/api/v1/namespaces/hidden" ? respond(403) : go());
    await world.start();
    expect(declared(world)?.warnings).toEqual(['namespace "typo": does not exist; check its spelling']);
  });

  it("costs at most 100 requests for its namespaces", async () => {
    await using world = new AgentWorld({ namespaces: numbered(150, "ns") });
    await world.start();
    const checked = world.requests.filter((request) => /^\/api\/v1\/namespaces\/ns\d+\?$/.test(request));
    expect(new Set(checked).size).toBe(100);
  });
});

describe("the log of the scope", () => {
  it("has a line for each group that does not answer, and another one only after it answered", async () => {
    await using world = new AgentWorld({ resources: ["*"] });
    const silent = new Set(["/apis/apps/v1"]);
    world.intercept = ({ path }, go) => (silent.has(path) ? respond(503) : go());
    await world.start();
    silent.add("/apis/coordination.k8s.io/v1");
    await world.advance(2 * DISCOVERY_MS);
    const groups = () => fieldsOf(world, NOT_ANSWERED).map(({ group }) => group);
    expect(groups()).toEqual(["apps/v1", "coordination.k8s.io/v1"]);
    expect(fieldsOf(world, NOT_ANSWERED)[0]?.["error"]).toContain("GET /apis/apps/v1: 503");
    silent.clear();
    await world.advance(2 * DISCOVERY_MS);
    silent.add("/apis/apps/v1");
    await world.advance(2 * DISCOVERY_MS);
    expect(groups()).toEqual(["apps/v1", "coordination.k8s.io/v1", "apps/v1"]);
  });

  it("has one line for each warning", async () => {
    await using world = new AgentWorld({ resources: ["configmaps", "nosuch.apps"], namespaces: ["typo"] });
    await world.start();
    await world.advance(2 * DISCOVERY_MS);
    world.intercept = ({ path }, go) => (path === "/api/v1/namespaces/typo" ? respond(403) : go());
    await world.advance(2 * DISCOVERY_MS);
    expect(fieldsOf(world, NOT_AS_CONFIGURED).map(({ warning }) => warning)).toEqual([
      'resource type "nosuch.apps": not served by the API server; check its spelling and version',
      'namespace "typo": does not exist; check its spelling',
    ]);
  });
});

describe("discovery", () => {
  const discoveries = (world: AgentWorld) => world.requests.filter((request) => request === "/apis?").length;

  it("is repeated at its interval", async () => {
    await using world = new AgentWorld();
    await world.start();
    await world.advance(20_000);
    const before = discoveries(world);
    await world.advance(4 * DISCOVERY_MS);
    expect(discoveries(world) - before).toBeGreaterThanOrEqual(3);
    // The watches of definitions end at times, and each new one requests a discovery.
    expect(discoveries(world) - before).toBeLessThan(20);
  });

  it("is repeated with a backoff while a group does not answer, up to its interval", async () => {
    await using world = new AgentWorld({ resources: ["*"] });
    world.intercept = ({ path }, go) => (path === "/apis/apps/v1" ? respond(503) : go());
    await world.start();
    await world.advance(10_000);
    expect(discoveries(world)).toBeGreaterThan(2);
    await world.advance(2 * DISCOVERY_MS);
    const before = discoveries(world);
    await world.advance(2 * DISCOVERY_MS);
    // Each new watch of definitions begins the backoff again.
    expect(discoveries(world) - before).toBeLessThan(60);
  });

  it("does not follow each of many changes of definitions", async () => {
    await using world = new AgentWorld({ resources: ["*"] });
    await world.start();
    await world.advance(60_000);
    const before = discoveries(world);
    for (let index = 0; index < 100; index += 1) {
      world.cluster.create({
        apiVersion: "apiregistration.k8s.io/v1",
        kind: "APIService",
        metadata: { name: `v1.group${index}` },
      });
      await world.clock.advance(10);
    }
    expect(discoveries(world) - before).toBeGreaterThan(0);
    expect(discoveries(world) - before).toBeLessThanOrEqual(4);
  });
});
