import { describe, expect, it } from "vitest";
import { type KindConfig, selectKinds } from "../../../../src/agent/scope/select-resources.ts";
import { formatKind } from "../../../../src/domain/resource-type.ts";
import type { DiscoveredResource, Discovery } from "../../../../src/kube/discovery.ts";

function served(text: string, verbs = ["get", "list", "watch"], namespaced = true): DiscoveredResource {
  const [group = "", version = "", resource = ""] = text.split("/");
  return { group, version, resource, namespaced, verbs };
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

function select(kinds: string[], more: Partial<KindConfig> = {}, from = discovery): string[] {
  const selection = selectKinds(from, { kinds, excludedKinds: [], namespaces: [], ...more });
  return selection.kinds.map(({ scope }) => (scope.kind === undefined ? "" : formatKind(scope.kind)));
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
    expect(select(["*"], { excludedKinds: ["v1/nodes", "apps/*"] })).toEqual(["v1/pods"]);
  });

  it.each(["pods", "a/b/c/d", ""])("refuses %j by name", (kind) => {
    expect(() => select([kind])).toThrow(JSON.stringify(kind));
  });

  it("reads namespaced kinds in the namespaces, and the others whole", () => {
    const { kinds } = selectKinds(discovery, {
      kinds: ["v1/pods", "v1/nodes"],
      excludedKinds: [],
      namespaces: ["b", "a", "b"],
    });
    expect(kinds.map(({ scope }) => scope.namespaces)).toEqual([[], ["a", "b"]]);
  });

  it("R11: is undecided about groups that do not answer, unless they are not asked for", () => {
    const broken = { group: "x.example.com", version: "v1", reason: "ServiceUnavailable", message: "" };
    const incomplete = { ...discovery, unanswered: [broken] };
    const undecided = (kinds: string[], excludedKinds: string[] = []) =>
      selectKinds(incomplete, { kinds, excludedKinds, namespaces: [] }).undecided;
    expect(undecided(["*"])).toEqual([broken]);
    expect(undecided(["x.example.com/v1/things"])).toEqual([broken]);
    expect(undecided(["v1/pods"])).toEqual([]);
    expect(undecided(["*"], ["x.example.com/*"])).toEqual([]);
  });
});
