import { describe, expect, it } from "vitest";
import { RemovalReason } from "../../../gen/proto/evenkeel/v1/scope_pb.ts";
import { formatResourceType, parseResourceType, resourceTypeKey } from "../../../src/domain/resource-type.ts";
import type { KubeResponse } from "../../../src/kube/kube.ts";
import { RetryableError } from "../../../src/lib/errors.ts";
import { AgentWorld, respond } from "../../support/agent/agent-world.ts";
import { FakeBackend } from "../../support/agent/fake-backend.ts";

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

function serveWidgets(world: AgentWorld, version: string): void {
  world.cluster.update(
    "customresourcedefinitions.apiextensions.k8s.io",
    "",
    "widgets.example.com",
    (definition) => ({
      ...definition,
      spec: { ...(definition["spec"] as object), versions: [{ name: version, served: true, storage: true }] },
    }),
  );
}

function scope(world: AgentWorld): string[] {
  return (world.backend.scopes.at(-1)?.resources ?? []).map(({ resourceType }) =>
    resourceType === undefined ? "" : formatResourceType(resourceType),
  );
}

function removed(world: AgentWorld): string[] {
  return world.backend.scopes.flatMap((declared) =>
    declared.removed.map(({ resourceType, reason }) => `${resourceTypeKey(resourceType)} ${reason}`),
  );
}

describe("scope", () => {
  it("declares a resource type soon after its definition exists, and sends it completely", async () => {
    await using world = new AgentWorld({ resources: ["*"] });
    await world.start();
    expect(scope(world)).not.toContain("widgets.v1.example.com");
    defineWidgets(world);
    await world.advance(5_000);
    expect(scope(world)).toContain("widgets.v1.example.com");
    expect(world.backend.scopes.map(({ generation }) => generation)).toEqual([1n, 2n]);
    expect(world.backend.contents("widgets.example.com")).toEqual(world.truth("widgets.example.com"));
  });

  it("declares a new resource type soon although another one has been undecided for long", async () => {
    await using world = new AgentWorld({ resources: ["*"] });
    await world.start();
    let isServed = false;
    world.intercept = ({ path }, go) =>
      path === "/apis/apps/v1" || (path.startsWith("/apis/example.com") && !isServed) ? respond(503) : go();
    await world.advance(DISCOVERY_MS);
    defineWidgets(world);
    await world.advance(1_000);
    isServed = true;
    await world.advance(5_000);
    expect(scope(world)).toContain("widgets.v1.example.com");
  });

  it("removes a resource type soon after its definition is deleted", async () => {
    await using world = new AgentWorld({ resources: ["*"] });
    defineWidgets(world);
    await world.start();
    world.cluster.delete("customresourcedefinitions.apiextensions.k8s.io", "", "widgets.example.com");
    await world.advance(30_000);
    expect(scope(world)).not.toContain("widgets.v1.example.com");
    expect(removed(world)).toEqual([`widgets.example.com ${RemovalReason.NOT_SERVED}`]);
  });

  it("R30: sends no object of a resource type that was removed and defined again meanwhile", async () => {
    // The outbox has room for a scope and one change, so the watch waits before it reports the deletion.
    await using world = new AgentWorld({ resources: ["*.example.com"] }, { maxPendingBytes: 500 });
    await world.start();
    // biome-ignore lint/correctness/useYield: it ends before its first message
    world.connect = async function* () {
      throw new RetryableError("no backend answers");
    };
    world.backend.disconnect();
    await world.advance();
    defineWidgets(world);
    await world.advance(10_000);
    world.cluster.delete("customresourcedefinitions.apiextensions.k8s.io", "", "widgets.example.com");
    await world.advance(30_000);
    defineWidgets(world);
    world.cluster.delete("widgets.example.com", "default", "w");
    await world.advance(10_000);
    world.connect = (signal, requests) => world.backend.openSync(signal, requests);
    await world.advance(60_000);
    expect(scope(world)).toContain("widgets.v1.example.com");
    const sent = world.backend.received.flatMap(({ message }) =>
      message.case === "batch" && message.value.resourceType?.resource === "widgets"
        ? message.value.items
        : [],
    );
    expect(sent.filter((item) => item.message.case === "putObject")).toEqual([]);
  });

  it("R30: ends the session if objects of a resource type are on their way when its version changes", async () => {
    await using world = new AgentWorld({ resources: ["*.example.com"] });
    defineWidgets(world);
    await world.start();
    await world.advance(5_000);
    world.backend.holdAcknowledgements = true;
    world.cluster.update("widgets.example.com", "default", "w", (object) => ({
      ...object,
      spec: { size: 2 },
    }));
    await world.advance();
    serveWidgets(world, "v2");
    await world.advance(5_000);
    world.backend.holdAcknowledgements = false;
    await world.advance(10_000);
    expect(scope(world)).toEqual(["widgets.v2.example.com"]);
    expect(world.agent.counters.sessions).toBe(2);
    expect(world.backend.contents("widgets.example.com")).toEqual(world.truth("widgets.example.com"));
  });

  it("discovers at its interval without the right to watch definitions", async () => {
    await using world = new AgentWorld({ resources: ["*"], excludeResources: ["*.apiextensions.k8s.io"] });
    world.intercept = ({ path }, go) => (path.endsWith("/customresourcedefinitions") ? respond(403) : go());
    await world.start();
    await world.advance(20_000);
    defineWidgets(world);
    await world.advance(DISCOVERY_MS + 10_000);
    expect(scope(world)).toContain("widgets.v1.example.com");
  });

  it("R11: keeps the resource types of a group that does not answer, and names the group", async () => {
    await using world = new AgentWorld({ resources: ["*"] });
    await world.start();
    const before = scope(world);
    world.intercept = ({ path }, go) => (path === "/apis/apps/v1" ? respond(503) : go());
    await world.advance(4 * DISCOVERY_MS);
    expect(scope(world)).toEqual(before);
    expect(world.backend.scopes.at(-1)?.undecided).toMatchObject([{ group: "apps", version: "v1" }]);
    expect(removed(world)).toEqual([]);
  });

  it("R11: reads the other groups when one does not answer at the start, and that one when it does", async () => {
    await using world = new AgentWorld({ resources: ["*"] });
    world.intercept = ({ path }, go) => (path === "/apis/apps/v1" ? respond(503) : go());
    await world.start();
    expect(scope(world)).toContain("configmaps.v1.");
    expect(scope(world)).not.toContain("deployments.v1.apps");
    world.intercept = (_request, go) => go();
    await world.advance(20_000);
    expect(scope(world)).toContain("deployments.v1.apps");
    expect(world.backend.scopes.at(-1)?.undecided).toEqual([]);
  });

  const incomplete: [string, (path: string) => KubeResponse | undefined][] = [
    ["/apis without the group", (path) => (path === "/apis" ? respond(200, { groups: [] }) : undefined)],
    ["/apis with an error", (path) => (path === "/apis" ? respond(503) : undefined)],
    ["404 of the group version", (path) => (path === "/apis/apps/v1" ? respond(404) : undefined)],
    ["503 of the group version", (path) => (path === "/apis/apps/v1" ? respond(503) : undefined)],
    ["{} of the group version", (path) => (path === "/apis/apps/v1" ? respond(200, {}) : undefined)],
    [
      "an empty list of the group version",
      (path) => (path === "/apis/apps/v1" ? respond(200, { resources: [] }) : undefined),
    ],
    ["/readyz with 500", (path) => (path === "/readyz" ? respond(500) : undefined)],
  ];
  it.each(incomplete)("R70: a new process removes nothing after %s", async (_, answer) => {
    await using world = new AgentWorld({ resources: ["*"] });
    for (const group of ["apps", "apiextensions.k8s.io", "apiregistration.k8s.io", "coordination.k8s.io"]) {
      const metadata = { name: `v1.${group}` };
      world.cluster.create({ apiVersion: "apiregistration.k8s.io/v1", kind: "APIService", metadata });
    }
    await world.start();
    await world.stop();
    const before = new Set(world.backend.storedScope.keys());
    world.intercept = ({ path }, go) => answer(path) ?? go();
    await world.start();
    await world.advance(4 * DISCOVERY_MS);
    expect(removed(world)).toEqual([]);
    world.intercept = (_request, go) => go();
    await world.advance(2 * DISCOVERY_MS);
    expect(removed(world)).toEqual([]);
    expect(new Set(world.backend.storedScope.keys())).toEqual(before);
    expect(new Set(scope(world).map((text) => resourceTypeKey(parseResourceType(text))))).toEqual(before);
  });

  it("R70: a new process removes a resource type whose definition was deleted meanwhile", async () => {
    await using world = new AgentWorld({ resources: ["*"] });
    defineWidgets(world);
    await world.start();
    await world.stop();
    world.cluster.delete("customresourcedefinitions.apiextensions.k8s.io", "", "widgets.example.com");
    await world.start();
    expect(removed(world)).toEqual([]);
    await world.advance(30_000);
    expect(removed(world)).toEqual([`widgets.example.com ${RemovalReason.NOT_SERVED}`]);
  });

  it("R70: removes nothing while the API server is not ready", async () => {
    await using world = new AgentWorld({ resources: ["*"] });
    defineWidgets(world);
    await world.start();
    world.cluster.delete("customresourcedefinitions.apiextensions.k8s.io", "", "widgets.example.com");
    world.intercept = ({ path }, go) => (path === "/readyz" ? respond(503) : go());
    await world.advance(60_000);
    expect(removed(world)).toEqual([]);
    world.intercept = (_request, go) => go();
    await world.advance(2 * DISCOVERY_MS);
    expect(removed(world)).toEqual([`widgets.example.com ${RemovalReason.NOT_SERVED}`]);
  });

  it.each([401, 403, 404])("R70: readiness that answers %i counts as ready", async (status) => {
    await using world = new AgentWorld({ resources: ["*"] });
    defineWidgets(world);
    await world.start();
    world.intercept = ({ path }, go) => (path === "/readyz" ? respond(status) : go());
    world.cluster.delete("customresourcedefinitions.apiextensions.k8s.io", "", "widgets.example.com");
    await world.advance(30_000);
    expect(removed(world)).toEqual([`widgets.example.com ${RemovalReason.NOT_SERVED}`]);
  });

  it("removes what the configuration of a new process excludes", async () => {
    const backend = new FakeBackend();
    {
      await using world = new AgentWorld({ resources: ["configmaps", "pods"] }, {}, backend);
      await world.start();
      await world.stop();
    }
    await using world = new AgentWorld({ resources: ["pods"] }, {}, backend);
    await world.start();
    expect(removed(world)).toEqual([`configmaps ${RemovalReason.EXCLUDED}`]);
  });

  it("warns of a named resource type and a namespace that do not exist", async () => {
    await using world = new AgentWorld({
      resources: ["configmaps", "nosuch.apps"],
      namespaces: ["kube-system", "typo"],
    });
    await world.start();
    expect(world.backend.scopes.at(-1)?.warnings).toEqual([
      'resource type "nosuch.apps": not served by the API server; check its spelling and version',
      'namespace "typo": does not exist; check its spelling',
    ]);
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

  it("R11: only complete discoveries prove that a resource type is gone", async () => {
    await using world = new AgentWorld({ resources: ["*"] });
    defineWidgets(world);
    await world.start();
    world.cluster.delete("customresourcedefinitions.apiextensions.k8s.io", "", "widgets.example.com");
    world.intercept = ({ path }, go) => (path === "/apis/apps/v1" ? respond(503) : go());
    await world.advance(2 * DISCOVERY_MS);
    expect(scope(world)).toContain("widgets.v1.example.com");
    world.intercept = (_request, go) => go();
    await world.advance(3 * DISCOVERY_MS);
    expect(scope(world)).not.toContain("widgets.v1.example.com");
  });
});
