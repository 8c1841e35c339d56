import { afterAll, beforeAll, expect, it } from "vitest";
import { eventually } from "../support/e2e/eventually.ts";
import { createOwnCluster, type OwnCluster } from "../support/e2e/own-cluster.ts";
import type { ServerAndAgent } from "../support/e2e/server-and-agent.ts";
import { describeWithKube } from "../support/kube/control-plane.ts";
import { createCustomResource } from "../support/kube/custom-resource.ts";

const cluster = "e2e-scope";
const apiServices = "/apis/apiregistration.k8s.io/v1/apiservices";
/** An API of a service that does not exist. */
const stuckApi = {
  apiVersion: "apiregistration.k8s.io/v1",
  kind: "APIService",
  metadata: { name: "v1.stuck.example.com" },
  spec: {
    group: "stuck.example.com",
    version: "v1",
    groupPriorityMinimum: 1_000,
    versionPriority: 10,
    insecureSkipTLSVerify: true,
    service: { namespace: "default", name: "no-such-service" },
  },
};

describeWithKube("an agent of a cluster whose API groups change", () => {
  let own: OwnCluster;
  let fleet: ServerAndAgent;

  beforeAll(async () => {
    own = await createOwnCluster(cluster);
    fleet = await own.start();
  });
  afterAll(() => own[Symbol.asyncDispose]());

  it("copies objects of a new CustomResourceDefinition within 5 s, also after its version changed", async () => {
    const resource = createCustomResource(own.client, "e2e.example.com", "gauges");
    const rowsOf = (): Promise<readonly Record<string, unknown>[]> =>
      own.rows.sql(
        `SELECT name, api_version FROM kubernetes_object
         WHERE cluster = $1 AND resource = 'gauges' AND state = 'present' ORDER BY name`,
      );
    for (const version of ["v1beta1", "v1"]) {
      await resource.install(version);
      const created = performance.now();
      await resource.create(version, `in-${version}`);
      const expected = [{ name: `in-${version}`, api_version: version }];
      await eventually(`the row in ${version}`, async () => expect(await rowsOf()).toEqual(expected), {
        intervalMs: 20,
      });
      expect(performance.now() - created, version).toBeLessThan(5_000);
      await resource.uninstall();
      await eventually("the rows to be removed", async () => expect(await rowsOf()).toEqual([]));
    }
    // Reinstalled before the agent proved that the old version was gone.
    await resource.install("v1beta1");
    await resource.create("v1beta1", "before");
    await eventually("the row before", async () => expect(await rowsOf()).toHaveLength(1));
    await resource.uninstall();
    await resource.install("v1");
    const created = performance.now();
    await resource.create("v1", "after");
    await eventually(
      "the row after",
      async () => expect(await rowsOf()).toEqual([{ name: "after", api_version: "v1" }]),
      { intervalMs: 20 },
    );
    expect(performance.now() - created).toBeLessThan(5_000);
    expect(await fleet.reconcile()).toBe(0);
    expect(await own.findDifferences()).toEqual([]);
  });

  it("copies and verifies the rest while one API group does not answer, and names the group", async () => {
    await own.client.send("POST", apiServices, stuckApi);
    await own.client.send("POST", "/api/v1/namespaces/default/configmaps", {
      metadata: { name: "meanwhile" },
    });
    await eventually("the agent to find the group", () =>
      expect(fleet.agent.stderr()).toContain("stuck.example.com/v1"),
    );
    expect(await fleet.reconcile()).toBe(0);
    expect(await own.findDifferences()).toEqual([]);
    const named = expect.stringMatching(/^Undecided: +stuck\.example\.com\/v1: /m);
    expect((await fleet.ask("cluster", cluster)).stdout).toEqual(named);
    const run = await fleet.ask("reconcile", cluster);
    expect(run.code).toBe(0);
    expect(run.stdout).toEqual(named);
    // An agent that starts meanwhile copies the rest too.
    await fleet.agent.end("SIGTERM");
    const begun = new Date();
    fleet.startAgent();
    await fleet.connected(begun);
    expect(await own.findDifferences()).toEqual([]);

    await own.client.send("DELETE", `${apiServices}/${stuckApi.metadata.name}`);
    await eventually("the group to be gone", async () =>
      expect((await fleet.ask("cluster", cluster)).stdout).not.toContain("stuck.example.com"),
    );
  });
});
