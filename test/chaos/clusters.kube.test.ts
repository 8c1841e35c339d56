import { cpSync, rmSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { whileFrozen } from "../support/chaos/frozen.ts";
import { runScenario } from "../support/chaos/scenario.ts";
import { describeChaos, ownServer } from "../support/chaos/servers.ts";
import { startAuditedControlPlane } from "../support/chaos/start-servers.ts";
import { eventually } from "../support/e2e/eventually.ts";

describeChaos("clusters whose API server goes back, restarts or is frozen under churn", (shared) => {
  const own = ownServer(startAuditedControlPlane);

  it("R16: etcd is restored twice", async () => {
    const { controlPlane } = own();
    const options = { name: "etcd-restore", size: "server", isEtcdRestored: true } as const;
    await runScenario({ ...shared, ...own() }, options, async ({ pause }) => {
      const { etcdDirectory } = controlPlane;
      const backup = join(etcdDirectory, "..", "etcd-backup");
      await controlPlane.restart(async () => cpSync(etcdDirectory, backup, { recursive: true }));
      for (let round = 0; round < 2; round += 1) {
        await pause(4_000);
        await controlPlane.restart(async () => {
          rmSync(etcdDirectory, { recursive: true });
          cpSync(backup, etcdDirectory, { recursive: true });
        });
      }
      await pause(2_000);
    });
  });

  it("R11, R70: the API server and both agents restart together", async () => {
    const resources = "configmaps,serviceaccounts,services,*.apps,*.rbac.authorization.k8s.io";
    const options = { name: "restart", size: "server", resources, areRepairsExpected: true } as const;
    await runScenario({ ...shared, ...own() }, options, async ({ agents, pause }) => {
      for (let round = 0; round < 2; round += 1) {
        await own().controlPlane.restartApiServer(async () => {
          await Promise.all(agents.map(({ program }) => program.end("SIGKILL")));
          for (const agent of agents) {
            agent.start();
          }
        });
        await pause(4_000);
      }
    });
  });

  it("the API server is frozen until a run of both agents is over its deadline", async () => {
    const { controlPlane } = own();
    const options = { name: "freeze-kube", size: "server" } as const;
    await runScenario({ ...shared, ...own() }, options, async ({ agents, pause }) => {
      await whileFrozen(controlPlane.apiServerProcessId(), async () => {
        for (const { program } of agents) {
          await eventually("a run that compared nothing", () =>
            expect(program.stderr()).toMatch(/"compared":0,.*"unfinished":3/),
          );
        }
        await pause(2_000);
      });
      await pause(2_000);
    });
  });
});
