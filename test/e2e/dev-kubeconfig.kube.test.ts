import { afterAll, beforeAll, expect, it } from "vitest";
import { findDifferences } from "../support/e2e/copy.ts";
import { devCluster, startDev } from "../support/e2e/dev.ts";
import { eventually } from "../support/e2e/eventually.ts";
import { countFindings, listSucceededRuns } from "../support/e2e/fleet-api.ts";
import { openKube } from "../support/e2e/open-kube.ts";
import { createPrograms, type Programs } from "../support/e2e/programs.ts";
import { createHandOnRows } from "../support/e2e/rows.ts";
import { describeWithKube } from "../support/kube/control-plane.ts";
import { createKubeClient } from "../support/kube/kube-client.ts";
import { createTestDatabase, type TestDatabase } from "../support/postgres/postgres.ts";

const namespace = "e2e-dev";

describeWithKube("evenkeel dev with a kubeconfig and a database", (controlPlane) => {
  let programs: Programs;
  let database: TestDatabase;
  const rows = createHandOnRows(() => database.url, devCluster);
  beforeAll(async () => {
    programs = createPrograms();
    database = await createTestDatabase();
  });
  afterAll(async () => {
    await programs[Symbol.asyncDispose]();
    await database[Symbol.asyncDispose]();
  });

  it("copies the cluster, changes nothing in it, and repairs rows that others edit", async () => {
    const client = createKubeClient(controlPlane());
    await client.send("POST", "/api/v1/namespaces", { metadata: { name: namespace } });
    const configMap = { metadata: { name: "mine" }, data: { value: "1" } };
    await client.send("POST", `/api/v1/namespaces/${namespace}/configmaps`, configMap);
    const { kubeconfigPath } = controlPlane();
    const { url: databaseUrl } = database;
    const from = ["--kubeconfig", kubeconfigPath, "--database-url", databaseUrl];
    const dev = await startDev(programs, ...from, "--reconcile-interval", "1s");
    using kube = openKube({ type: "kubeconfig", path: kubeconfigPath });
    const of = { databaseUrl, cluster: devCluster, kube, namespace };
    const runs = await eventually("three runs", async () => {
      const succeeded = await listSucceededRuns(dev.apiUrl, devCluster);
      expect(succeeded.length).toBeGreaterThanOrEqual(3);
      return succeeded;
    });
    expect(runs.map(countFindings)).toEqual(runs.map(() => 0));
    expect(await findDifferences(of)).toEqual([]);

    await rows.sql("DELETE FROM kubernetes_object WHERE cluster = $1 AND namespace = $2", namespace);
    await eventually("the repair", async () => expect(await findDifferences(of)).toEqual([]));
    expect(dev.program.stdout()).not.toContain("broke");
    expect(await dev.program.end("SIGINT")).toEqual({ code: 0, signal: null });
  });
});
