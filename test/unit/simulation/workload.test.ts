import { describe, expect, it } from "vitest";
import { resourceTypeKey } from "../../../src/domain/resource-type.ts";
import { createSeededRandom } from "../../../src/lib/random.ts";
import { SimulatedCluster } from "../../../src/simulation/simulated-cluster.ts";
import { createSimulatedTransport } from "../../../src/simulation/simulated-transport.ts";
import { createWorkload } from "../../../src/simulation/workload.ts";
import { ManualClock } from "../../support/manual-clock.ts";

describe("the workload of dev", () => {
  const create = (seed: number) => {
    const clock = new ManualClock();
    const cluster = new SimulatedCluster({ clock, random: createSeededRandom(seed) });
    return { clock, cluster, workload: createWorkload({ cluster }) };
  };
  const everything = (cluster: SimulatedCluster) =>
    cluster.resources().flatMap((served) => cluster.list(resourceTypeKey(served)));

  it("creates a few hundred objects, among them a kube-system namespace with a uid", () => {
    const { cluster } = create(1);
    expect(everything(cluster).length).toBeGreaterThan(200);
    expect(everything(cluster).length).toBeLessThan(500);
    expect(cluster.get("namespaces", "", "kube-system")?.metadata.uid).toMatch(/^[0-9a-f-]{36}$/);
  });

  it("creates the same cluster from the same seed, also after changes", () => {
    const [one, two] = [create(7), create(7)];
    for (let index = 0; index < 200; index += 1) {
      one.workload.change();
      two.workload.change();
    }
    expect(JSON.stringify(everything(one.cluster))).toBe(JSON.stringify(everything(two.cluster)));
  });

  it("keeps the owners of all owned objects during rollouts and scaling", () => {
    const { cluster, workload } = create(3);
    for (let index = 0; index < 1000; index += 1) {
      workload.change();
    }
    const uids = new Set(everything(cluster).map(({ metadata }) => metadata.uid));
    for (const { kind: resourceKey, metadata } of everything(cluster)) {
      for (const owner of metadata.ownerReferences ?? []) {
        expect(uids, `${resourceKey} ${metadata.name} is owned by ${owner.kind} ${owner.name}`).toContain(
          owner.uid,
        );
      }
    }
    expect(cluster.list("deployments.apps")).toHaveLength(24);
    expect(everything(cluster).length).toBeLessThan(700);
  });

  it("runs until its signal aborts", async () => {
    const { clock, cluster, workload } = create(1);
    const before = cluster.store.revision;
    const controller = new AbortController();
    const running = workload.run(controller.signal);
    await clock.advance(60_000);
    expect(cluster.store.revision - before).toBeGreaterThan(60);
    controller.abort();
    await running;
    expect(clock.pending).toBe(0);
  });

  it("has numbers that are returned digit by digit", async () => {
    const { cluster } = create(1);
    const response = await createSimulatedTransport(cluster).get(new AbortController().signal, {
      path: "/apis/example.com/v1/widgets",
    });
    const text = Buffer.concat(await Array.fromAsync(response.body)).toString();
    expect(text).toContain('"serial":9007199254740993,"maxCount":9223372036854775807,"tolerance":1e-7');
  });
});
