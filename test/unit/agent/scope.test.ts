import { describe, expect, it } from "vitest";
import { formatResourceType } from "../../../src/domain/resource-type.ts";
import { AgentWorld, respond } from "../../support/agent/agent-world.ts";

const DISCOVERY_MS = 5 * 60_000;

function defineWidgets(world: AgentWorld): void {
  world.cluster.create({
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: "widgets.example.com" },
    spec: {
      group: "example.com",
      scope: "Namespaced",
      names: { plural: "widgets", singular: "widget", kind: "Widget" },
      versions: [{ name: "v1", served: true, storage: true }],
    },
  });
  world.cluster.create({
    apiVersion: "example.com/v1",
    kind: "Widget",
    metadata: { namespace: "default", name: "w" },
  });
}

function scope(world: AgentWorld): string[] {
  return (world.backend.scopes.at(-1)?.resources ?? []).map(({ resourceType }) =>
    resourceType === undefined ? "" : formatResourceType(resourceType),
  );
}

describe("scope", () => {
  it("takes a kind in when it appears, sends it whole, and lets it go only when it is surely gone", async () => {
    await using world = new AgentWorld({ resources: ["*"] });
    await world.start();
    expect(scope(world)).not.toContain("widgets.v1.example.com");
    defineWidgets(world);
    await world.advance(DISCOVERY_MS + 1_000);
    expect(scope(world)).toContain("widgets.v1.example.com");
    expect(world.backend.scopes.map(({ generation }) => generation)).toEqual([1n, 2n]);
    expect(world.backend.contents("widgets.example.com")).toEqual(world.truth("widgets.example.com"));

    world.cluster.delete("customresourcedefinitions.apiextensions.k8s.io", "", "widgets.example.com");
    await world.advance(DISCOVERY_MS + 1_000);
    expect(scope(world)).toContain("widgets.v1.example.com");
    await world.advance(DISCOVERY_MS + 1_000);
    expect(scope(world)).not.toContain("widgets.v1.example.com");
  });

  it("R11: keeps the kinds of a group that does not answer", async () => {
    await using world = new AgentWorld({ resources: ["*"] });
    await world.start();
    const before = scope(world);
    world.intercept = ({ path }, go) => (path === "/apis/apps/v1" ? respond(503) : go());
    await world.advance(4 * DISCOVERY_MS);
    expect(scope(world)).toEqual(before);
    expect(world.backend.scopes).toHaveLength(1);
  });

  it("R11: declares nothing at the start before each group has answered", async () => {
    await using world = new AgentWorld({ resources: ["*"] });
    world.intercept = ({ path }, go) => (path === "/apis/apps/v1" ? respond(503) : go());
    await world.start();
    await world.advance(120_000);
    expect(world.backend.scopes).toEqual([]);
    world.intercept = (_request, go) => go();
    await world.advance(60_000);
    expect(scope(world)).toContain("deployments.v1.apps");
  });

  it("reads namespaces apart, each delete bounded by its own list", async () => {
    await using world = new AgentWorld({ namespaces: ["a", "b"] });
    world.configMap("x", "1", "a");
    world.configMap("x", "1", "b");
    world.configMap("x", "1", "elsewhere");
    await world.start();
    world.backend.ask("configmaps");
    await world.advance(2_000);
    expect(Object.keys(world.backend.contents("configmaps"))).toEqual(["a/x", "b/x"]);
    world.configMap("y", "1", "b");
    world.cluster.delete("configmaps", "a", "x");
    await world.advance();
    expect(Object.keys(world.backend.contents("configmaps"))).toEqual(["b/x", "b/y"]);
  });

  it("R11: two complete discoveries have to lack a kind: one that could not ask does not count", async () => {
    await using world = new AgentWorld({ resources: ["*"] });
    defineWidgets(world);
    await world.start();
    world.cluster.delete("customresourcedefinitions.apiextensions.k8s.io", "", "widgets.example.com");
    world.intercept = ({ path }, go) => (path === "/apis/apps/v1" ? respond(503) : go());
    await world.advance(DISCOVERY_MS + 1_000);
    world.intercept = (_request, go) => go();
    await world.advance(DISCOVERY_MS);
    expect(scope(world)).toContain("widgets.v1.example.com");
    await world.advance(DISCOVERY_MS);
    expect(scope(world)).not.toContain("widgets.v1.example.com");
  });
});
