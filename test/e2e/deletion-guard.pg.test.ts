import { afterAll, beforeAll, expect, it } from "vitest";
import type { DeletionSet } from "../../gen/proto/evenkeel/v1/fleet_service_pb.ts";
import { createSeededRandom } from "../../src/lib/random.ts";
import { eventually } from "../support/e2e/eventually.ts";
import { createPrograms, type Programs } from "../support/e2e/programs.ts";
import { createHandOnRows, type HandOnRows } from "../support/e2e/rows.ts";
import { type ServerAndAgent, startServerAndAgent } from "../support/e2e/server-and-agent.ts";
import { createSimulatedKube, type SimulatedKube } from "../support/e2e/simulated-kube.ts";
import { describeWithPostgres } from "../support/postgres/postgres.ts";

const cluster = "e2e-guard";
const count = 500;
const maps = Array.from({ length: count }, (_, at) => `map-${String(at).padStart(3, "0")}`);

describeWithPostgres("the guard against mass deletion", (database) => {
  let programs: Programs;
  let kube: SimulatedKube;
  let fleet: ServerAndAgent;
  let rows: HandOnRows;
  beforeAll(async () => {
    programs = createPrograms();
    kube = await createSimulatedKube(createSeededRandom(5));
    for (const name of maps) {
      kube.cluster.create({
        apiVersion: "v1",
        kind: "ConfigMap",
        metadata: { name, namespace: "default" },
        data: { value: name },
      });
    }
    rows = createHandOnRows(() => database.url, cluster);
    const { kubeconfigPath } = kube;
    const begun = new Date();
    fleet = await startServerAndAgent({ programs, databaseUrl: database.url, cluster, kubeconfigPath });
    await fleet.connected(begun);
  });
  afterAll(async () => {
    await programs[Symbol.asyncDispose]();
    await kube[Symbol.asyncDispose]();
  });

  const countRows = async (): Promise<number> => {
    const [row] = await rows.sql(
      "SELECT count(*)::int AS count FROM kubernetes_object WHERE cluster = $1 AND state <> 'absent'",
    );
    return Number(row?.["count"]);
  };

  /** Waits until the cluster has an open deletion set, and returns it. */
  const openSet = async (): Promise<Pick<DeletionSet, "id" | "state">> => {
    let found: { readonly id: string; readonly state: never } | undefined;
    await eventually("a deletion set", async () => {
      const { stdout } = await fleet.ask("deletions", "list", cluster, "-o", "json");
      [found] = JSON.parse(stdout).deletionSets ?? [];
      expect(found).toBeDefined();
    });
    return found ?? expect.fail();
  };

  it("R92: deletes nothing after a typing error in the scope, says so, and goes on after the approval", async () => {
    const before = await countRows();
    expect(before).toBeGreaterThanOrEqual(count);
    await fleet.agent.end("SIGTERM");
    fleet.startAgent("--resources", "namespaces,configmap.v2.typo");
    const { id } = await openSet();
    expect(await countRows()).toBe(before);
    const [shown, cluster$, reconciled] = [
      await fleet.ask("deletions", "show", id),
      await fleet.ask("cluster", cluster),
      await fleet.ask("reconcile", cluster),
    ];
    expect(shown.stdout).toMatch(/State: +WITHHELD/);
    expect(shown.stdout).toMatch(
      /configmaps +\d+ +\d+ +the agent's configuration excludes the resource type/,
    );
    expect(cluster$.stdout).toMatch(/Withheld: +\d+ deletions; see "evenkeel deletions list e2e-guard"/);
    expect(cluster$.stdout).toMatch(/Warning: .*typo/);
    expect(reconciled).toMatchObject({ code: 1, stdout: expect.stringMatching(/State: +WITHHELD/) });
    expect(reconciled.stdout).toMatch(/Warning: .*typo/);
    expect(await countRows()).toBe(before);

    const approved = await fleet.ask("deletions", "approve", id);
    expect(approved).toMatchObject({ code: 0, stdout: expect.stringMatching(/State: +APPLIED/) });
    const [namespaces] = await rows.sql(
      `SELECT count(*)::int AS count FROM kubernetes_object
       WHERE cluster = $1 AND state <> 'absent' AND resource = 'namespaces'`,
    );
    expect(await countRows()).toBe(namespaces?.["count"]);
    await fleet.reconcile();

    await fleet.agent.end("SIGTERM");
    const restored = new Date();
    fleet.startAgent();
    await fleet.connected(restored);
    expect(await countRows()).toBe(before);
  });

  it("R90: withholds the deletions of a list that lacks most objects, until they are approved", async () => {
    const before = await countRows();
    await fleet.agent.end("SIGTERM");
    for (const name of maps.slice(10)) {
      kube.cluster.delete("configmaps", "default", name);
    }
    fleet.startAgent();
    const { id } = await openSet();
    expect(await countRows()).toBe(before);
    expect((await fleet.ask("deletions", "show", id)).stdout).toMatch(
      /configmaps +\d+ +490 +490 of \d+ rows/,
    );
    expect((await fleet.ask("runs", cluster, "--limit", "1")).stdout).toContain("DeletesWithheld");
    await fleet.ask("deletions", "approve", id);
    expect(await countRows()).toBe(before - 490);
    await fleet.reconcile();
  });
});
