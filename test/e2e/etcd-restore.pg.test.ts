import { afterAll, beforeAll, expect, it } from "vitest";
import { createSeededRandom } from "../../src/lib/random.ts";
import type { SimulatedCluster } from "../../src/simulation/simulated-cluster.ts";
import { configMapObject } from "../../src/simulation/workload-objects.ts";
import { findDifferences } from "../support/e2e/copy.ts";
import { eventually } from "../support/e2e/eventually.ts";
import { createPrograms, type Programs } from "../support/e2e/programs.ts";
import { type ServerAndAgent, startServerAndAgent } from "../support/e2e/server-and-agent.ts";
import { createSimulatedKube, type SimulatedKube } from "../support/e2e/simulated-kube.ts";
import { describeWithPostgres } from "../support/postgres/postgres.ts";

const cluster = "e2e-restore";

describeWithPostgres("a cluster whose etcd is restored from a backup", (database) => {
  let programs: Programs;
  let kube: SimulatedKube;
  let fleet: ServerAndAgent;
  const becomesTrue = async (): Promise<void> => {
    const of = { databaseUrl: database.url, cluster, kube: kube.transport };
    await eventually("the copy to be true", async () => expect(await findDifferences(of)).toEqual([]), {
      intervalMs: 100,
    });
  };
  beforeAll(async () => {
    programs = createPrograms();
    kube = await createSimulatedKube(createSeededRandom(2));
    const { kubeconfigPath } = kube;
    const begun = new Date();
    fleet = await startServerAndAgent({ programs, databaseUrl: database.url, cluster, kubeconfigPath });
    await fleet.connected(begun);
  });
  afterAll(async () => {
    await programs[Symbol.asyncDispose]();
    await kube[Symbol.asyncDispose]();
  });

  it.each([
    { agent: "up", writes: 3, versions: "below" },
    { agent: "up", writes: 60, versions: "above" },
    { agent: "down", writes: 3, versions: "below" },
    { agent: "down", writes: 60, versions: "above" },
  ])(
    "is copied as it is then, agent $agent, versions $versions the old mark",
    async ({ agent, writes, versions }) => {
      const backup = kube.cluster.store.revision;
      write(kube.cluster, "shop", `lost-${agent}-${versions}`, 30);
      await becomesTrue();
      const begun = new Date();
      if (agent === "down") {
        await fleet.agent.end("SIGKILL");
      }
      kube.cluster.restore(backup);
      write(kube.cluster, "payments", `new-${agent}-${versions}`, writes);
      if (agent === "down") {
        fleet.startAgent();
        await fleet.connected(begun);
      } else if (versions === "above") {
        // Versions above the watermark do not reveal that they went back, and the watch resumes; a list
        // detects it.
        expect(await fleet.reconcile()).toBeGreaterThan(0);
      }
      await becomesTrue();
      expect(await fleet.reconcile()).toBe(0);
      // Later changes are copied although their versions are below the old watermark.
      write(kube.cluster, "search", `later-${agent}-${versions}`, 2);
      await becomesTrue();
    },
  );
});

/**
 * Creates objects, changes one and deletes one. Each history changes another object: one object with two
 * contents at the same version would be equal in a list of metadata.
 */
function write(cluster: SimulatedCluster, team: string, prefix: string, count: number): void {
  cluster.update("configmaps", team, "feature-flags", (object) => ({ ...object, data: { writer: prefix } }));
  for (let index = 2; index < count; index += 1) {
    cluster.create(configMapObject(team, `${prefix}-${index}`, { value: prefix }));
  }
  const [first] = cluster.list("serviceaccounts");
  if (first !== undefined) {
    cluster.delete("serviceaccounts", first.metadata.namespace ?? "", first.metadata.name);
  }
}
