import { create } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";
import { ReconciliationFindingSchema } from "../../../../gen/proto/evenkeel/v1/fleet_service_pb.ts";
import { ObjectRefSchema } from "../../../../gen/proto/evenkeel/v1/resource_pb.ts";
import { restrictToCluster } from "../../../../src/backend/fleet/restrict-to-cluster.ts";
import { MemoryFleetStore } from "../../../support/backend/memory-fleet-store.ts";

const resourceType = { group: "", version: "v1", resource: "pods" };
const ref = create(ObjectRefSchema, { resourceType, namespace: "a", name: "x" });
const { signal } = new AbortController();
const page = { after: undefined, limit: 10 };
const objects = {
  ...page,
  resources: [],
  namespace: undefined,
  namePrefix: undefined,
  hasContent: false,
};
const nothing = { items: [], next: undefined };

/** Two clusters with one object of the same name and one run each. */
function twoClusters() {
  const store = new MemoryFleetStore("shop");
  for (const cluster of ["own", "other"]) {
    store.addCluster(cluster, { ref });
    store.setRun({ id: `run of ${cluster}`, cluster });
  }
  store.findings.push(create(ReconciliationFindingSchema, { detail: "x" }));
  return { store, restricted: restrictToCluster(store, "own") };
}

test("all data of the own cluster is visible", async () => {
  const { store, restricted } = twoClusters();
  expect((await restricted.listClusters(signal, "shop", page)).items.map(({ name }) => name)).toEqual([
    "own",
  ]);
  expect(await restricted.getCluster(signal, "shop", "own")).toMatchObject({ name: "own" });
  expect(
    (await restricted.listObjects(signal, "shop", { ...objects, clusters: ["own"] })).items,
  ).toHaveLength(1);
  expect(await restricted.getObject(signal, "shop", "own", ref)).toBeDefined();
  for (const clusters of [["own"], undefined]) {
    const runs = await restricted.listRuns(signal, "shop", { ...page, clusters });
    expect(runs.items.map(({ id }) => id)).toEqual(["run of own"]);
    const open = await restricted.listOpenRuns(signal, "shop", { clusters, endedSince: new Date(0) });
    expect(open.map(({ id }) => id)).toEqual(["run of own"]);
  }
  expect(await restricted.getRun(signal, "shop", "run of own")).toBeDefined();
  expect((await restricted.listFindings(signal, "shop", "run of own", page)).items).toEqual(store.findings);
});

describe("another cluster is not found", () => {
  test("by its name", async () => {
    const { restricted } = twoClusters();
    expect(await restricted.getCluster(signal, "shop", "other")).toBeUndefined();
    expect(await restricted.listObjects(signal, "shop", { ...objects, clusters: ["other"] })).toEqual(
      nothing,
    );
    expect(await restricted.getObject(signal, "shop", "other", ref)).toBeUndefined();
    expect(await restricted.listRuns(signal, "shop", { ...page, clusters: ["other"] })).toEqual(nothing);
    expect(
      await restricted.listOpenRuns(signal, "shop", { clusters: ["other"], endedSince: new Date(0) }),
    ).toEqual([]);
  });

  test("by its runs", async () => {
    const { restricted } = twoClusters();
    expect(await restricted.getRun(signal, "shop", "run of other")).toBeUndefined();
    expect(await restricted.listFindings(signal, "shop", "run of other", page)).toEqual(nothing);
  });

  test("nor is the own cluster in another account", async () => {
    const { restricted } = twoClusters();
    expect(await restricted.listClusters(signal, "bank", page)).toEqual(nothing);
    expect(await restricted.getRun(signal, "bank", "run of own")).toBeUndefined();
  });

  test("nor is the own cluster before its first session", async () => {
    const restricted = restrictToCluster(new MemoryFleetStore("shop"), "own");
    expect(await restricted.listClusters(signal, "shop", page)).toEqual(nothing);
  });
});

test("the list of clusters has one page, without resource types", async () => {
  const { store, restricted } = twoClusters();
  Object.assign(store.clusters[0] ?? {}, { resources: [{ objects: 1n }] });
  const { items, next } = await restricted.listClusters(signal, "shop", { after: undefined, limit: 1 });
  expect(items.map(({ resources }) => resources)).toEqual([[]]);
  expect(next).toBeUndefined();
  expect(await restricted.listClusters(signal, "shop", { after: ["own"], limit: 1 })).toEqual(nothing);
});
