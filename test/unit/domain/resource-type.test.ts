import { describe, expect, it } from "vitest";
import {
  formatResourceType,
  isResourceWildcard,
  parseResourceType,
  resourceTypeKey,
} from "../../../src/domain/resource-type.ts";

describe("the spelling of resource types", () => {
  it.each([
    ["pods", { group: "", resource: "pods" }, "pods"],
    ["pods.v1.", { group: "", version: "v1", resource: "pods" }, "pods"],
    ["deployments.apps", { group: "apps", resource: "deployments" }, "deployments.apps"],
    ["deployments.v1.apps", { group: "apps", version: "v1", resource: "deployments" }, "deployments.apps"],
    [
      "leases.v1beta1.coordination.k8s.io",
      { group: "coordination.k8s.io", version: "v1beta1", resource: "leases" },
      "leases.coordination.k8s.io",
    ],
    ["leases.coordination.k8s.io", { group: "coordination.k8s.io", resource: "leases" }, undefined],
    // kubectl reads these as groups too.
    ["pods.v1", { group: "v1", resource: "pods" }, undefined],
    ["things.v0.example.com", { group: "v0.example.com", resource: "things" }, undefined],
    ["things.vast.example.com", { group: "vast.example.com", resource: "things" }, undefined],
  ])("reads and writes %s", (text, name, key = text) => {
    expect(parseResourceType(text)).toEqual(name);
    expect(formatResourceType(name)).toBe(text);
    expect(resourceTypeKey(name)).toBe(key);
  });

  it.each([
    "",
    ".",
    "*",
    "*.apps",
    "pods.",
    "pods..",
    ".apps",
    "deployments..apps",
    "deployments.apps.",
    "deployments.v1..apps",
    "Pods",
    "pods/log",
    "apps/v1/deployments",
    "v1/pods",
    `pods.${"a.".repeat(300)}a`,
  ])("refuses %j", (text) => {
    expect(parseResourceType(text)).toBeUndefined();
  });

  it("has an empty key for a message without a resource type", () => {
    expect(resourceTypeKey(undefined)).toBe("");
  });
});

describe("wildcards", () => {
  it.each(["*", "*.apps", "*.metrics.k8s.io"])("%s is one", (text) => {
    expect(isResourceWildcard(text)).toBe(true);
  });

  it.each(["", "pods", "*.", "**", "*pods", "*.v1.", "apps/*", "*.Apps"])("%j is none", (text) => {
    expect(isResourceWildcard(text)).toBe(false);
  });
});
