import { describe, expect, it } from "vitest";
import { type ResourceSelection, selectResources } from "../../../../src/agent/scope/select-resources.ts";
import { formatResourceType } from "../../../../src/domain/resource-type.ts";
import type { DiscoveredResource, Discovery } from "../../../../src/kube/discovery.ts";

function served(text: string, verbs = ["get", "list", "watch"], namespaced = true): DiscoveredResource {
  const [group = "", version = "", resource = ""] = text.split("/");
  const names = { kind: "", singular: "", shortNames: [], categories: [] };
  return { group, version, resource, ...names, namespaced, verbs };
}

const discovery: Discovery = {
  resources: [
    served("/v1/pods"),
    served("/v1/nodes", undefined, false),
    served("/v1/secrets"),
    served("/v1/events"),
    served("/v1/bindings", ["create"]),
    served("apps/v1/deployments"),
    served("apps/v1beta1/deployments"),
    served("apps/v1beta1/old"),
    served("lists.example.com/v1/things", ["list"]),
    served("metrics.k8s.io/v1beta1/pods"),
  ],
  unanswered: [],
};

function select(resources: string[], more: Partial<ResourceSelection> = {}, from = discovery): string[] {
  const selection = selectResources(from, { resources, excludeResources: [], namespaces: [], ...more });
  return selection.resources.map(({ scope }) =>
    scope.resourceType === undefined ? "" : formatResourceType(scope.resourceType),
  );
}

describe("kind selection", () => {
  it("takes for * what can be listed and watched, in preferred versions, without noise and secrets", () => {
    expect(select(["*"])).toEqual(["v1/nodes", "v1/pods", "apps/v1/deployments", "apps/v1beta1/old"]);
  });

  it("takes what is named, secrets and kinds that can only be listed included", () => {
    expect(select(["v1/secrets", "lists.example.com/v1/things"])).toEqual([
      "v1/secrets",
      "lists.example.com/v1/things",
    ]);
  });

  it("R31: reads a resource in one version: the named one goes before the preferred one", () => {
    expect(select(["*", "apps/v1beta1/deployments"])).toContain("apps/v1beta1/deployments");
    expect(select(["*", "apps/v1beta1/deployments"])).not.toContain("apps/v1/deployments");
    expect(() => select(["apps/v1/deployments", "apps/v1beta1/deployments"])).toThrow(
      "one version of each resource",
    );
  });

  it("leaves out what is excluded, by kind and by group", () => {
    expect(select(["*"], { excludeResources: ["v1/nodes", "apps/*"] })).toEqual(["v1/pods"]);
  });

  it.each(["pods", "a/b/c/d", ""])("refuses %j by name", (text) => {
    expect(() => select([text])).toThrow(JSON.stringify(text));
  });

  it("reads namespaced kinds in the namespaces, and the others whole", () => {
    const { resources } = selectResources(discovery, {
      resources: ["v1/pods", "v1/nodes"],
      excludeResources: [],
      namespaces: ["b", "a", "b"],
    });
    expect(resources.map(({ namespaces }) => namespaces)).toEqual([[], ["a", "b"]]);
  });

  it("R11: is undecided about groups that do not answer, unless they are not asked for", () => {
    const broken = { group: "x.example.com", version: "v1", reason: "ServiceUnavailable", message: "" };
    const incomplete = { ...discovery, unanswered: [broken] };
    const undecided = (resources: string[], excludeResources: string[] = []) =>
      selectResources(incomplete, { resources, excludeResources, namespaces: [] }).undecided;
    expect(undecided(["*"])).toEqual([broken]);
    expect(undecided(["x.example.com/v1/things"])).toEqual([broken]);
    expect(undecided(["v1/pods"])).toEqual([]);
    expect(undecided(["*"], ["x.example.com/*"])).toEqual([]);
  });
});
