import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { type ResourceType, ResourceTypeSchema } from "../../../../gen/proto/evenkeel/v1/resource_pb.ts";
import { RemovalReason, ResourceScopeSchema } from "../../../../gen/proto/evenkeel/v1/scope_pb.ts";
import { type ScopeChange, ScopeTracker } from "../../../../src/agent/scope/scope-tracker.ts";
import type { SelectedResource } from "../../../../src/agent/scope/select-resources.ts";
import { formatResourceType } from "../../../../src/domain/resource-type.ts";
import type { DiscoveredResource } from "../../../../src/kube/discovery.ts";
import type { KubeResponse, KubeTransport } from "../../../../src/kube/kube.ts";
import { respond } from "../../../support/agent/agent-world.ts";

const { signal } = new AbortController();
const WIDGETS = typeOf("widgets");
const GADGETS = typeOf("gadgets");
const CRD = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/widgets.example.com";
const API_SERVICE = "/apis/apiregistration.k8s.io/v1/apiservices/v1.example.com";

function typeOf(resource: string, version = "v1"): ResourceType {
  return create(ResourceTypeSchema, { group: "example.com", version, resource });
}

/** States of every object that it does not exist, except for the answers. */
function createKube(answers: Readonly<Record<string, () => KubeResponse>> = {}): KubeTransport {
  return {
    get: async (_signal, { path }) => {
      const name = path.split("/").at(-1);
      const body = { kind: "Status", reason: "NotFound", code: 404, details: { name } };
      return answers[path]?.() ?? respond(404, body);
    },
  };
}

function selected(resourceType: ResourceType, more: Partial<SelectedResource> = {}): SelectedResource {
  const scope = create(ResourceScopeSchema, { resourceType });
  return { scope, namespaces: [], isWatchable: true, ...more };
}

function served({ group, version, resource }: ResourceType): DiscoveredResource {
  const names = { kind: "", singular: "", shortNames: [], categories: [] };
  return { group, version, resource, ...names, namespaced: true, verbs: ["list"] };
}

/** Applies a discovery that has these resource types, all of them selected. */
async function update(
  tracker: ScopeTracker,
  resources: readonly SelectedResource[],
  { isComplete = true, alsoServed = [] as readonly ResourceType[] } = {},
): Promise<ScopeChange> {
  const types = resources.flatMap(({ scope }) => (scope.resourceType ? [scope.resourceType] : []));
  const discovery = { resources: [...types, ...alsoServed].map(served), unanswered: [] };
  return await tracker.update(signal, { discovery, selected: resources, isComplete });
}

function namesOf({ removed }: ScopeChange): string[] {
  return removed.map(({ resourceType, reason }) => `${resourceType?.resource} ${reason}`);
}

describe("the scope from one discovery to the next", () => {
  it("R11: a discovery that is not complete is not the first of the two that prove absence", async () => {
    const tracker = new ScopeTracker(createKube(), () => true);
    tracker.learn([WIDGETS]);
    expect(namesOf(await update(tracker, [], { isComplete: false }))).toEqual([]);
    expect(await update(tracker, [])).toMatchObject({ removed: [], undecided: 1 });
    const last = await update(tracker, []);
    expect(namesOf(last)).toEqual([`widgets ${RemovalReason.NOT_SERVED}`]);
    expect(last.undecided).toBe(0);
    expect(await update(tracker, [])).toEqual({ isChanged: false, removed: [], undecided: 0 });
  });

  it("R11: two complete discoveries without a resource type prove its absence only one after the other", async () => {
    const tracker = new ScopeTracker(createKube(), () => true);
    const widgets = [selected(WIDGETS)];
    await update(tracker, widgets);
    for (const found of [[], widgets, [], widgets]) {
      expect(namesOf(await update(tracker, found))).toEqual([]);
    }
    expect(tracker.resources).toEqual(widgets);
  });

  it.each<[string, Record<string, () => KubeResponse>]>([
    ["its definition exists", { [CRD]: () => respond(200, { metadata: { name: "widgets.example.com" } }) }],
    ["its definition cannot be read", { [CRD]: () => respond(503) }],
    [
      "its group is registered",
      { [API_SERVICE]: () => respond(200, { metadata: { name: "v1.example.com" } }) },
    ],
    ["the registration of its group cannot be read", { [API_SERVICE]: () => respond(403) }],
  ])("R70: keeps a resource type that discoveries lack while %s", async (_, answers) => {
    const tracker = new ScopeTracker(createKube(answers), () => true);
    tracker.learn([GADGETS]);
    await update(tracker, [selected(WIDGETS), selected(GADGETS)]);
    for (const _again of [1, 2, 3]) {
      expect(namesOf(await update(tracker, [selected(typeOf("others", "v2"))]))).not.toContain(
        `widgets ${RemovalReason.NOT_SERVED}`,
      );
    }
    expect(tracker.resources.map(({ scope }) => scope.resourceType?.resource)).toContain("widgets");
  });

  it.each([
    ["removes a type whose definition is absent while its group version serves others", "v1", 1],
    ["keeps it while only another version of its group is served", "v2", 0],
  ])("R70: %s", async (_, version, removed) => {
    const answers = { [API_SERVICE]: () => respond(200, { metadata: { name: "v1.example.com" } }) };
    const tracker = new ScopeTracker(createKube(answers), () => true);
    await update(tracker, [selected(WIDGETS)]);
    const alsoServed = [
      typeOf("others", version),
      create(ResourceTypeSchema, { version: "v1", resource: "pods" }),
    ];
    await update(tracker, [], { alsoServed });
    expect(namesOf(await update(tracker, [], { alsoServed }))).toHaveLength(removed);
  });

  it("ends with the signal, also while it reads a definition", async () => {
    const stop = new AbortController();
    const kube: KubeTransport = {
      get: async () => {
        stop.abort(new Error("stopped"));
        throw new Error("cut off");
      },
    };
    const tracker = new ScopeTracker(kube, () => true);
    const scope = { discovery: { resources: [], unanswered: [] }, selected: [], isComplete: true };
    tracker.learn([WIDGETS]);
    await tracker.update(stop.signal, scope);
    await expect(tracker.update(stop.signal, scope)).rejects.toThrow("stopped");
  });

  it("removes what Postgres has and the configuration excludes at once, and knows it no more", async () => {
    const tracker = new ScopeTracker(createKube(), ({ resource }) => resource !== "widgets");
    tracker.learn([WIDGETS, GADGETS]);
    expect(namesOf(await update(tracker, [selected(GADGETS)]))).toEqual([
      `widgets ${RemovalReason.EXCLUDED}`,
    ]);
    expect(namesOf(await update(tracker, [selected(GADGETS)]))).toEqual([]);
  });

  it("removes a resource type once, although Postgres had it before this process read it", async () => {
    const tracker = new ScopeTracker(createKube(), () => true);
    tracker.learn([WIDGETS]);
    await update(tracker, [selected(WIDGETS)]);
    tracker.learn([WIDGETS]);
    await update(tracker, []);
    expect(namesOf(await update(tracker, []))).toEqual([`widgets ${RemovalReason.NOT_SERVED}`]);
    expect(namesOf(await update(tracker, []))).toEqual([]);
  });

  it("is changed at the first discovery, and when a type comes or is read in another way", async () => {
    const tracker = new ScopeTracker(createKube(), () => true);
    const isChanged = async (...resources: SelectedResource[]): Promise<boolean> =>
      (await update(tracker, resources)).isChanged;
    expect(await isChanged()).toBe(true);
    expect(await isChanged()).toBe(false);
    expect(await isChanged(selected(WIDGETS))).toBe(true);
    expect(await isChanged(selected(WIDGETS))).toBe(false);
    expect(await isChanged(selected(WIDGETS), selected(GADGETS))).toBe(true);
    expect(await isChanged(selected(GADGETS), selected(WIDGETS))).toBe(false);
    expect(await isChanged(selected(WIDGETS, { isWatchable: false }), selected(GADGETS))).toBe(true);
    expect(
      await isChanged(selected(WIDGETS, { isWatchable: false }), selected(typeOf("gadgets", "v2"))),
    ).toBe(true);
    expect(
      tracker.resources.map(({ scope }) => scope.resourceType && formatResourceType(scope.resourceType)),
    ).toEqual(["gadgets.v2.example.com", "widgets.v1.example.com"]);
  });
});
