import { create } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";
import { ObjectRefSchema } from "../../../../gen/proto/evenkeel/v1/resource_pb.ts";
import { restrictToCluster } from "../../../../src/backend/fleet/restrict-to-cluster.ts";
import { FleetWorld } from "../../../support/backend/fleet-world.ts";
import { describeWithPostgres } from "../../../support/postgres/postgres.ts";
import { put } from "../../../support/store/messages.ts";

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

const RUN_OF_OWN = "0d6b1c4e-6f0a-4c9e-9a54-0f6d2b3c1a77";
const RUN_OF_OTHER = "5b0f1f7c-51f4-4b1e-8c39-6a8f3a1d9e02";

describeWithPostgres("a fleet restricted to one cluster", (database) => {
  /** Creates two clusters with the same object each, and a run of each with a finding. */
  async function createTwoClusters(): Promise<FleetWorld> {
    const fleet = new FleetWorld(database.url);
    for (const [cluster, id] of [
      ["own", RUN_OF_OWN],
      ["other", RUN_OF_OTHER],
    ] as const) {
      await fleet.addCluster(cluster, put("a/x", { observed: 1 }));
      await fleet.setRun({ id, cluster, state: "REQUESTED" });
      await fleet.addFinding(cluster, id, "x");
    }
    return fleet;
  }

  test("all data of the own cluster is visible", async () => {
    await using fleet = await createTwoClusters();
    const { account, store } = fleet;
    const restricted = restrictToCluster(store, "own");
    expect((await restricted.listClusters(signal, account, page)).items.map(({ name }) => name)).toEqual([
      "own",
    ]);
    expect(await restricted.getCluster(signal, account, "own")).toMatchObject({ name: "own" });
    expect(
      (await restricted.listObjects(signal, account, { ...objects, clusters: ["own"] })).items,
    ).toHaveLength(1);
    expect(await restricted.getObject(signal, account, "own", ref)).toBeDefined();
    for (const clusters of [["own"], undefined]) {
      const runs = await restricted.listRuns(signal, account, { ...page, clusters });
      expect(runs.items.map(({ id }) => id)).toEqual([RUN_OF_OWN]);
    }
    expect(await restricted.getRun(signal, account, RUN_OF_OWN)).toBeDefined();
    const findings = await restricted.listFindings(signal, account, RUN_OF_OWN, page);
    expect(findings.items.map(({ ref }) => ref?.name)).toEqual(["x"]);
  });

  describe("another cluster is not found", () => {
    test("by its name", async () => {
      await using fleet = await createTwoClusters();
      const { account, store } = fleet;
      const restricted = restrictToCluster(store, "own");
      expect(await restricted.getCluster(signal, account, "other")).toBeUndefined();
      expect(await restricted.listObjects(signal, account, { ...objects, clusters: ["other"] })).toEqual(
        nothing,
      );
      expect(await restricted.getObject(signal, account, "other", ref)).toBeUndefined();
      expect(await restricted.listRuns(signal, account, { ...page, clusters: ["other"] })).toEqual(nothing);
    });

    test("by its runs", async () => {
      await using fleet = await createTwoClusters();
      const { account, store } = fleet;
      const restricted = restrictToCluster(store, "own");
      expect(await restricted.getRun(signal, account, RUN_OF_OTHER)).toBeUndefined();
      expect(await restricted.listFindings(signal, account, RUN_OF_OTHER, page)).toEqual(nothing);
    });

    test("nor is the own cluster in another account", async () => {
      await using fleet = await createTwoClusters();
      const restricted = restrictToCluster(fleet.store, "own");
      expect(await restricted.listClusters(signal, "bank", page)).toEqual(nothing);
      expect(await restricted.getRun(signal, "bank", RUN_OF_OWN)).toBeUndefined();
    });

    test("nor is the own cluster before its first session", async () => {
      await using fleet = new FleetWorld(database.url);
      const { account, store } = fleet;
      const restricted = restrictToCluster(store, "own");
      expect(await restricted.listClusters(signal, account, page)).toEqual(nothing);
    });
  });

  test("the list of clusters has one page, without resource types", async () => {
    await using fleet = await createTwoClusters();
    const { account, store } = fleet;
    const restricted = restrictToCluster(store, "own");
    expect((await store.getCluster(signal, account, "own"))?.resources).not.toEqual([]);
    const { items, next } = await restricted.listClusters(signal, account, { after: undefined, limit: 1 });
    expect(items.map(({ resources }) => resources)).toEqual([[]]);
    expect(next).toBeUndefined();
    expect(await restricted.listClusters(signal, account, { after: ["own"], limit: 1 })).toEqual(nothing);
  });
});
