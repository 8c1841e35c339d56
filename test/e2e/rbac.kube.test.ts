import { afterAll, beforeAll, expect, it } from "vitest";
import { ReconciliationTrigger } from "../../gen/proto/evenkeel/v1/batch_pb.ts";
import { ReconciliationState } from "../../gen/proto/evenkeel/v1/fleet_service_pb.ts";
import { eventually } from "../support/e2e/eventually.ts";
import { listRuns } from "../support/e2e/fleet-api.ts";
import { createPrograms, type Programs } from "../support/e2e/programs.ts";
import { createHandOnRows } from "../support/e2e/rows.ts";
import { type ServerAndAgent, startServerAndAgent } from "../support/e2e/server-and-agent.ts";
import { describeWithKube } from "../support/kube/control-plane.ts";
import { createCustomResource } from "../support/kube/custom-resource.ts";
import { createKubeClient, type KubeClient } from "../support/kube/kube-client.ts";
import { createTestDatabase, type TestDatabase } from "../support/postgres/postgres.ts";

const cluster = "e2e-rbac";
const namespace = "e2e-rbac";
const configMaps = `/api/v1/namespaces/${namespace}/configmaps`;
const roles = "/apis/rbac.authorization.k8s.io/v1/clusterroles";
const bindings = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings";

describeWithKube("an agent whose permissions change", (controlPlane) => {
  let programs: Programs;
  let database: TestDatabase;
  let client: KubeClient;
  let fleet: ServerAndAgent;
  const rows = createHandOnRows(() => database.url, cluster);
  const copied = async (): Promise<unknown[]> =>
    Promise.all(["kept", "deleted"].map((name) => rows.valueOf(namespace, name)));
  const toName = (resource: string): string => `${cluster}-${resource}`;
  const allow = (resource: string): Promise<unknown> =>
    client.send("POST", bindings, {
      metadata: { name: toName(resource) },
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: toName(resource) },
      subjects: [{ apiGroup: "rbac.authorization.k8s.io", kind: "User", name: "restricted" }],
    });
  const forbid = (resource: string): Promise<unknown> =>
    client.send("DELETE", `${bindings}/${toName(resource)}`);

  beforeAll(async () => {
    programs = createPrograms();
    database = await createTestDatabase();
    client = createKubeClient(controlPlane());
    await client.send("POST", "/api/v1/namespaces", { metadata: { name: namespace } });
    for (const name of ["kept", "deleted"]) {
      await client.send("POST", configMaps, { metadata: { name }, data: { value: "1" } });
    }
    for (const resource of ["configmaps", "namespaces"]) {
      const rules = [{ apiGroups: [""], resources: [resource], verbs: ["get", "list", "watch"] }];
      await client.send("POST", roles, { metadata: { name: toName(resource) }, rules });
      await allow(resource);
    }
    const { kubeconfigPath } = controlPlane();
    const agentArgs = ["--kube-context", "restricted", "--resources", "configmaps,namespaces"];
    const begun = new Date();
    const { url: databaseUrl } = database;
    fleet = await startServerAndAgent({ programs, databaseUrl, cluster, kubeconfigPath, agentArgs });
    await fleet.connected(begun);
  });
  afterAll(async () => {
    await programs[Symbol.asyncDispose]();
    await database[Symbol.asyncDispose]();
  });

  it("does not treat 403 as absence, neither in a run nor at its start", async () => {
    expect(await copied()).toEqual(["1", "1"]);
    await forbid("configmaps");
    const refused = await fleet.ask("reconcile", cluster);
    expect(refused.code, refused.stderr).toBe(1);
    expect(refused.stdout).toContain("403");
    expect(await copied()).toEqual(["1", "1"]);

    await fleet.agent.end("SIGTERM");
    await client.send("DELETE", `${configMaps}/deleted`);
    fleet.startAgent();
    await eventually("the run on connect to be refused", async () => {
      const [newest] = await listRuns(fleet.serverUrl, cluster);
      expect(newest?.trigger).toBe(ReconciliationTrigger.CONNECT);
      expect(newest?.state).toBe(ReconciliationState.PARTIAL);
      expect(newest?.results.flatMap(({ failure: error }) => error?.message ?? [])).toEqual([
        expect.stringContaining("403"),
      ]);
    });
    expect(await copied()).toEqual(["1", "1"]);

    await forbid("namespaces");
    await fleet.agent.end("SIGTERM");
    const blind = fleet.startAgent();
    await eventually("the agent to be refused", () => expect(blind.stderr()).toContain("403"));
    expect(await copied()).toEqual(["1", "1"]);

    const begun = new Date();
    await allow("namespaces");
    await allow("configmaps");
    await fleet.connected(begun);
    expect(await copied()).toEqual(["1", undefined]);
  });
});

describeWithKube("an agent that may read three resource types", (controlPlane) => {
  const few = "e2e-rbac-few";
  const readable = ["configmaps", "namespaces", "serviceaccounts"];
  let programs: Programs;
  let database: TestDatabase;
  const rows = createHandOnRows(() => database.url, few);

  beforeAll(async () => {
    programs = createPrograms();
    database = await createTestDatabase();
  });
  afterAll(async () => {
    await programs[Symbol.asyncDispose]();
    await database[Symbol.asyncDispose]();
  });

  it("R75: has runs that succeed and count the others, and one line in its log for them", async () => {
    const client = createKubeClient(controlPlane());
    const verbs = ["get", "list", "watch"];
    const rules = [
      { apiGroups: [""], resources: readable, verbs },
      { apiGroups: [`${few}.example.com`], resources: ["*"], verbs },
    ];
    await client.send("POST", roles, { metadata: { name: few }, rules });
    await client.send("POST", bindings, {
      metadata: { name: few },
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: few },
      subjects: [{ apiGroup: "rbac.authorization.k8s.io", kind: "User", name: "restricted" }],
    });
    const { kubeconfigPath } = controlPlane();
    const { url: databaseUrl } = database;
    const agentArgs = ["--kube-context", "restricted", "--discovery-interval", "3s"];
    const begun = new Date();
    const fleet = await startServerAndAgent({
      programs,
      databaseUrl,
      cluster: few,
      kubeconfigPath,
      agentArgs,
    });
    await fleet.connected(begun);
    const [first] = await listRuns(fleet.serverUrl, few);
    expect(first?.state).toBe(ReconciliationState.SUCCEEDED);
    const results = first?.results ?? [];
    expect(results.length).toBeGreaterThan(40);
    const others = results.filter(({ notReadable }) => notReadable);
    expect(others).toHaveLength(results.length - readable.length);
    const { stdout } = await fleet.ask("run", first?.id ?? "");
    expect(stdout).toMatch(new RegExp(`^State: +SUCCEEDED, ${others.length} not readable$`, "m"));

    const linesOf = (): string[] => fleet.agent.stderr().trim().split("\n");
    const denied = (): Record<string, unknown>[] =>
      linesOf()
        .filter((line) => line.includes("Forbidden"))
        .map((line) => JSON.parse(line))
        .filter(({ message }) => message === "resource types cannot be read");
    await eventually("the line about the others", () => expect(denied()).not.toEqual([]));
    expect(linesOf().length).toBeLessThan(20);
    expect(denied()).toMatchObject([
      { reason: "Forbidden", count: others.length, resourceTypes: expect.any(Array) },
    ]);
    const before = linesOf().length;
    expect(await fleet.reconcile()).toBe(0);
    expect(await fleet.reconcile()).toBe(0);
    // Each run has a line with its totals, some seconds after its end.
    const later = linesOf().slice(before);
    expect(later.filter((line) => !line.includes("run compared"))).toEqual([]);

    // It may not watch definitions, so that only its next discovery finds a new resource type.
    const resource = createCustomResource(client, `${few}.example.com`, "lamps");
    await resource.install("v1");
    await resource.create("v1", "first");
    await eventually("the new resource type", async () =>
      expect(
        await rows.sql("SELECT resource FROM kubernetes_object WHERE cluster = $1 AND name = 'first'"),
      ).toEqual([{ resource: "lamps" }]),
    );
    await resource.uninstall();
  });
});
