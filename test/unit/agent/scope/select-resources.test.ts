import { create, toBinary } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { ScopeDeclaredSchema } from "../../../../gen/proto/evenkeel/v1/scope_pb.ts";
import {
  assertReadable,
  limitScope,
  type SelectionOptions,
  selectResources,
} from "../../../../src/agent/scope/select-resources.ts";
import { MAX_SYNC_REQUEST_BYTES } from "../../../../src/domain/limits.ts";
import { formatResourceType } from "../../../../src/domain/resource-type.ts";
import type { DiscoveredResource, Discovery } from "../../../../src/kube/discovery.ts";
import { ConfigError } from "../../../../src/lib/errors.ts";
import { createTestLog } from "../../../support/vitest/test-log.ts";

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

function select(resources: string[], more: Partial<SelectionOptions> = {}, from = discovery): string[] {
  const selection = selectResources(from, { resources, excludeResources: [], namespaces: [], ...more });
  return selection.resources.map(({ scope }) =>
    scope.resourceType === undefined ? "" : formatResourceType(scope.resourceType),
  );
}

describe("resource selection", () => {
  it("takes for * what can be listed and watched, in preferred versions, without Secrets", () => {
    expect(select(["*"])).toEqual([
      "deployments.v1.apps",
      "events.v1.",
      "nodes.v1.",
      "old.v1beta1.apps",
      "pods.v1.",
      "pods.v1beta1.metrics.k8s.io",
    ]);
  });

  it("takes for a group what * takes of it", () => {
    expect(select(["*.apps", "nodes"])).toEqual(["deployments.v1.apps", "nodes.v1.", "old.v1beta1.apps"]);
    expect(select(["*.apps"], { excludeResources: ["old.apps"] })).toEqual(["deployments.v1.apps"]);
  });

  it("takes what is named, excluded ones and those that can only be listed included", () => {
    expect(select(["events", "things.lists.example.com"], { excludeResources: ["events"] })).toEqual([
      "events.v1.",
      "things.v1.lists.example.com",
    ]);
  });

  it("takes Secrets only by name, also when nothing is excluded", () => {
    expect(select(["*"])).not.toContain("secrets.v1.");
    expect(select(["secrets"])).toEqual(["secrets.v1."]);
    expect(select(["*", "secrets"], { excludeResources: ["secrets"] })).toContain("secrets.v1.");
  });

  it("R31: reads a resource in one version: the named one, else the preferred one", () => {
    expect(select(["deployments.apps"])).toEqual(["deployments.v1.apps"]);
    expect(select(["*", "deployments.v1beta1.apps"])).toContain("deployments.v1beta1.apps");
    expect(select(["*", "deployments.v1beta1.apps"])).not.toContain("deployments.v1.apps");
    expect(() => select(["deployments.v1.apps", "deployments.v1beta1.apps"])).toThrow(
      "one version of each resource",
    );
  });

  it("leaves out what is excluded, by resource type in any version and by group", () => {
    expect(
      select(["*"], { excludeResources: ["nodes.v1.", "events", "*.apps", "*.metrics.k8s.io"] }),
    ).toEqual(["pods.v1."]);
  });

  it.each(["v1/pods", "apps/v1/deployments", "pods.", ""])("refuses %j by name", (text) => {
    expect(() => select([text])).toThrow(JSON.stringify(text));
    expect(() => select(["*"], { excludeResources: [text] })).toThrow(JSON.stringify(text));
  });

  it("reads namespaced resources in the namespaces, and the others whole", () => {
    const { resources } = selectResources(discovery, {
      resources: ["pods", "nodes"],
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
    expect(undecided(["*.x.example.com"])).toEqual([broken]);
    expect(undecided(["things.x.example.com"])).toEqual([broken]);
    expect(undecided(["things.v1.x.example.com"])).toEqual([broken]);
    expect(undecided(["things.v2.x.example.com"])).toEqual([]);
    expect(undecided(["pods", "*.apps"])).toEqual([]);
    expect(undecided(["*"], ["*.x.example.com"])).toEqual([]);
  });

  it.each([
    ["resource", "x".repeat(64)],
    ["resource", ""],
    ["resource", "a\0b"],
    ["resource", "Pods"],
    ["version", "x".repeat(64)],
    ["version", ""],
    ["version", "1"],
    ["group", "g".repeat(254)],
    ["group", "\ud800"],
  ] as const)(
    "leaves out a type whose %s the contract cannot carry, and reports it once (R52)",
    (field, text) => {
      const odd = { ...served("odd.example.com/v1/odds"), [field]: text };
      const from = { resources: [served("/v1/pods"), odd], unanswered: [] };
      const log = createTestLog();
      for (const _ of [1, 2]) {
        expect(select(["*"], { log }, from)).toEqual(["pods.v1."]);
      }
      expect(log.lines).toEqual(["warn resource type left out of the scope"]);
    },
  );

  it("keeps a type whose other names are odd, without them (R52)", () => {
    const odd = {
      ...served("/v1/pods"),
      kind: `a\0b${"x".repeat(100)}`,
      singular: "\ud800",
      shortNames: ["po", "\0", "x".repeat(64)],
      categories: ["all", "\ud800"],
    };
    const config = { resources: ["*"], excludeResources: [], namespaces: [] };
    const [selected] = selectResources({ resources: [odd], unanswered: [] }, config).resources;
    expect(selected?.scope).toMatchObject({
      kind: `a\u{fffd}b${"x".repeat(60)}`,
      singular: "\u{fffd}",
      shortNames: ["po"],
      categories: ["all"],
    });
  });

  it("reports no unanswered group that the contract cannot carry as undecided (R52)", () => {
    const refused = { version: "v1", reason: "Unavailable", message: "" };
    const unanswered = [
      { ...refused, group: "x".repeat(254) },
      { ...refused, group: "a", version: "" },
      { ...refused, group: "a" },
    ];
    const config = { resources: ["*"], excludeResources: [], namespaces: [] };
    expect(selectResources({ resources: [], unanswered }, config).undecided).toEqual([unanswered[2]]);
  });
});

describe("the size of a scope", () => {
  function selected(count: number, shortNames: string[] = [], namespaces: string[] = []) {
    const resources = Array.from({ length: count }, (_, at) => ({
      ...served(`example.com/v1/r${String(at).padStart(5, "0")}`),
      shortNames,
    }));
    const from = { resources, unanswered: [] };
    return selectResources(from, { resources: ["*"], excludeResources: [], namespaces }).resources;
  }

  it("is at most 5,000 resource types, the first ones by name", () => {
    const all = selected(5_001);
    expect(limitScope(all)).toEqual(all.slice(0, 5_000));
    expect(limitScope(all.slice(0, 5_000))).toHaveLength(5_000);
  });

  it("is at most 250,000 pairs with the configured namespaces, which an agent refuses at its start (L9)", () => {
    const namespaces = Array.from({ length: 5_000 }, (_, index) => `n${index}`);
    const all = selected(51, [], namespaces);
    expect(limitScope(all)).toEqual(all.slice(0, 50));
    expect(() => assertReadable(all.slice(0, 50))).not.toThrow();
    expect(() => assertReadable(all)).toThrow(ConfigError);
    expect(() => assertReadable(all)).toThrow(
      "namespaces: expected at most 250000 pairs of a namespaced resource type and a namespace, found 255000; " +
        "name fewer with --namespaces or --resources, or read all namespaces",
    );
  });

  it("is half of the largest message, however long the names are", () => {
    const shortNames = Array.from({ length: 64 }, (_, at) => `${at}-`.padEnd(63, "x"));
    const kept = limitScope(selected(2_000, shortNames));
    const scope = create(ScopeDeclaredSchema, { resources: kept.map((resource) => resource.scope) });
    const bytes = toBinary(ScopeDeclaredSchema, scope).byteLength;
    expect(bytes).toBeLessThanOrEqual(MAX_SYNC_REQUEST_BYTES / 2);
    expect(bytes).toBeGreaterThan(0.45 * MAX_SYNC_REQUEST_BYTES);
  });
});
