import { afterAll, beforeAll, expect, it } from "vitest";
import { findDifferences } from "../support/e2e/copy.ts";
import { eventually } from "../support/e2e/eventually.ts";
import { openKube } from "../support/e2e/open-kube.ts";
import { createPrograms, type Programs } from "../support/e2e/programs.ts";
import { createHandOnRows } from "../support/e2e/rows.ts";
import { type ServerAndAgent, startServerAndAgent } from "../support/e2e/server-and-agent.ts";
import { describeWithKube } from "../support/kube/control-plane.ts";
import { createKubeClient, type KubeClient } from "../support/kube/kube-client.ts";
import { createTestDatabase, type TestDatabase } from "../support/postgres/postgres.ts";

const cluster = "e2e-real";
const namespace = "e2e-real";
const configMaps = `/api/v1/namespaces/${namespace}/configmaps`;
const row = "cluster = $1 AND resource = 'configmaps' AND namespace = 'e2e-real' AND name = $2";
const update = "UPDATE kubernetes_object SET";

/** Manual edits, each of another ConfigMap's row: its name is `$2`. */
const edits: readonly (readonly [name: string, statement: string])[] = [
  ["content", `${update} content = jsonb_set(content, '{data,value}', '"edited"') WHERE ${row}`],
  ["resource-version", `${update} resource_version = '1' WHERE ${row}`],
  ["observed-back", `${update} observed_version = 1 WHERE ${row}`],
  ["observed-ahead", `${update} observed_version = observed_version + 1000000000 WHERE ${row}`],
  ["checksum", `${update} checksum = decode(repeat('00', 32), 'hex') WHERE ${row}`],
  ["uid", `${update} uid = 'f3b1b1f4-5f7c-4b8e-9a57-4f2f9f6c1d11' WHERE ${row}`],
  ["incarnation", `${update} incarnation = incarnation + 1 WHERE ${row}`],
  ["content-format", `${update} content_format = 'none' WHERE ${row}`],
  ["api-version", `${update} api_version = 'v0' WHERE ${row}`],
  ["quarantined", `${update} state = 'quarantined', content = NULL, quarantine_reason = 'none' WHERE ${row}`],
  ["row-deleted", `DELETE FROM kubernetes_object WHERE ${row}`],
  ["absent", `${update} state = 'absent', content = NULL WHERE ${row}`],
  ["absent-ahead", `${update} state = 'absent', content = NULL, observed_version = 10 ^ 38 WHERE ${row}`],
  [
    "source-of-ghost",
    `INSERT INTO kubernetes_object (account, cluster, api_group, resource, namespace, name, api_version, state, uid,
       resource_version, observed_version, incarnation, content, content_format)
     SELECT account, cluster, api_group, resource, namespace, 'ghost', api_version, state, gen_random_uuid(),
       resource_version, observed_version, incarnation, content, content_format
     FROM kubernetes_object WHERE ${row}`,
  ],
];

/**
 * A number in its original notation, of any length: TypeScript's library does not have `JSON.rawJSON` yet.
 */
const exact = (text: string): unknown =>
  (JSON as unknown as { rawJSON(text: string): unknown }).rawJSON(text);

/** A custom resource of this test, with 64-bit integers. */
const ledgerDefinition = {
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: { name: "ledgers.e2e.example.com" },
  spec: {
    group: "e2e.example.com",
    scope: "Namespaced",
    names: { plural: "ledgers", singular: "ledger", kind: "Ledger" },
    versions: [
      {
        name: "v1",
        served: true,
        storage: true,
        schema: {
          openAPIV3Schema: {
            type: "object",
            properties: {
              spec: {
                type: "object",
                properties: {
                  balance: { type: "integer", format: "int64" },
                  rate: { type: "number" },
                  one: { type: "number" },
                },
              },
            },
          },
        },
      },
    ],
  },
};

describeWithKube("evenkeel server and agent at a real API server", (controlPlane) => {
  let programs: Programs;
  let database: TestDatabase;
  let client: KubeClient;
  let fleet: ServerAndAgent;
  const rows = createHandOnRows(() => database.url, cluster);

  const create = (name: string, value: string): Promise<unknown> =>
    client.send("POST", configMaps, { metadata: { name, labels: { app: "e2e" } }, data: { value } });
  const differences = async (): Promise<readonly string[]> => {
    using kube = openKube({ type: "kubeconfig", path: controlPlane().kubeconfigPath });
    return await findDifferences({ databaseUrl: database.url, cluster, kube, namespace });
  };

  beforeAll(async () => {
    programs = createPrograms();
    database = await createTestDatabase();
    client = createKubeClient(controlPlane());
    await client.send("POST", "/api/v1/namespaces", { metadata: { name: namespace } });
    await client.send("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", ledgerDefinition);
    for (const name of ["steady", "deleted", ...edits.map(([edited]) => edited)]) {
      await create(name, "1");
    }
    const { kubeconfigPath } = controlPlane();
    const begun = new Date();
    fleet = await startServerAndAgent({ programs, databaseUrl: database.url, cluster, kubeconfigPath });
    await fleet.connected(begun);
  });
  afterAll(async () => {
    await programs[Symbol.asyncDispose]();
    await database[Symbol.asyncDispose]();
  });

  it("has copied every resource type in its scope", async () => {
    const resources = await rows.sql(
      "SELECT concat_ws('.', resource, nullif(api_group, '')) AS resource FROM resource_state WHERE cluster = $1",
    );
    const names = resources.map(({ resource }) => resource);
    expect(names).toEqual(
      expect.arrayContaining(["configmaps", "namespaces", "deployments.apps", "ledgers.e2e.example.com"]),
    );
    expect(names).not.toContain("secrets");
    expect(await differences()).toEqual([]);
  });

  it("shows a create, an edit and a delete within a second", async () => {
    const delaysMs: number[] = [];
    const seen = async (name: string, value: string | undefined): Promise<void> => {
      const begun = performance.now();
      const look = async () => expect(await rows.valueOf(namespace, name)).toBe(value);
      await eventually(`${name} to be ${value}`, look, { intervalMs: 10 });
      delaysMs.push(performance.now() - begun);
    };
    for (const name of ["live-1", "live-2", "live-3"]) {
      await create(name, "1");
      await seen(name, "1");
      await client.send("PATCH", `${configMaps}/${name}`, { data: { value: "2" } });
      await seen(name, "2");
      await client.send("DELETE", `${configMaps}/${name}`);
      await seen(name, undefined);
    }
    // The median: on a machine that is busy with other tests, one of them may be late.
    expect(delaysMs.toSorted((a, b) => a - b)[4], `${delaysMs}`).toBeLessThan(1_000);
  });

  it("repairs manual edits on an idle cluster, twice", async () => {
    for (const _time of ["first", "second"]) {
      for (const [name, statement] of edits) {
        await rows.sql(statement, name);
      }
      expect((await differences()).length).toBe(edits.length);
      expect(await fleet.reconcile()).toBe(edits.length);
      expect(await differences()).toEqual([]);
    }
    expect(await fleet.reconcile()).toBe(0);
  });

  it("restores a resource type whose rows were all deleted manually, twice", async () => {
    for (const _time of ["first", "second"]) {
      const gone = await rows.sql(
        "DELETE FROM kubernetes_object WHERE cluster = $1 AND resource = 'configmaps' RETURNING state",
      );
      const present = gone.filter(({ state }) => state === "present").length;
      expect(await fleet.reconcile()).toBeGreaterThanOrEqual(present);
      expect(await differences()).toEqual([]);
    }
  });

  it("keeps integers above 2^53 in creates, changes and repairs", async () => {
    const path = `/apis/e2e.example.com/v1/namespaces/${namespace}/ledgers`;
    const ledger = (balance: string): object => ({
      apiVersion: "e2e.example.com/v1",
      kind: "Ledger",
      metadata: { name: "big" },
      spec: { balance: exact(balance), rate: 0.1, one: exact("1.0") },
    });
    const stored = async (): Promise<unknown> => {
      const [found] = await rows.sql(
        "SELECT content #>> '{spec,balance}' AS balance FROM kubernetes_object WHERE cluster = $1 AND name = 'big'",
      );
      return found?.["balance"];
    };
    await client.send("POST", path, ledger("9223372036854775807"));
    await eventually("the ledger", async () => expect(await stored()).toBe("9223372036854775807"));
    expect(await differences()).toEqual([]);
    await client.send("PATCH", `${path}/big`, { spec: { balance: exact("-9007199254740993") } });
    await eventually("the ledger's change", async () => expect(await stored()).toBe("-9007199254740993"));
    await rows.sql("DELETE FROM kubernetes_object WHERE cluster = $1 AND name = 'big'");
    expect(await fleet.reconcile()).toBe(1);
    expect(await differences()).toEqual([]);
    expect(await stored()).toBe("-9007199254740993");
  });

  it("detects objects that were deleted, created and edited while no agent was running", async () => {
    expect(await fleet.agent.end("SIGTERM")).toEqual({ code: 0, signal: null });
    await client.send("DELETE", `${configMaps}/deleted`);
    await client.send("PATCH", `${configMaps}/steady`, { data: { value: "2" } });
    await create("created", "1");
    const begun = new Date();
    fleet.startAgent();
    await fleet.connected(begun);
    expect(await differences()).toEqual([]);
    expect(await rows.valueOf(namespace, "deleted")).toBeUndefined();
    expect(await fleet.reconcile()).toBe(0);
  });
});
