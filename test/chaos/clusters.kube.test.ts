import { cpSync, rmSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { CLOCK_TOLERANCE_MS } from "../../src/rpc/auth/jwt/claims.ts";
import { runScenario } from "../support/chaos/scenario.ts";
import { describeChaos } from "../support/chaos/servers.ts";
import { eventually } from "../support/e2e/eventually.ts";

/** Time after which the server refuses a token, while its stream is open. */
const TOKEN_LIFETIME_MS = 8_000;

describeChaos("clusters whose API server or token changes under churn", (servers) => {
  it("R16: etcd is restored twice", async () => {
    const options = { name: "etcd-restore", size: "server", isEtcdRestored: true } as const;
    await runScenario(servers(), options, async ({ pause }) => {
      const { controlPlane } = servers();
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
    const options = { name: "restart", size: "server", resources: "*", areRepairsExpected: true } as const;
    await runScenario(servers(), options, async ({ agents, pause }) => {
      for (let round = 0; round < 2; round += 1) {
        await servers().controlPlane.restartApiServer(async () => {
          await Promise.all(agents.map(({ program }) => program.end("SIGKILL")));
          for (const agent of agents) {
            agent.start();
          }
        });
        await pause(4_000);
      }
    });
  });

  it("a token expires in mid-stream, and its file gets the next one later", async () => {
    // The agent starts once under churn, to get the token.
    const options = { name: "token", size: "server", areRepairsExpected: true } as const;
    await runScenario(servers(), options, async (scenario) => {
      const [tenancy] = scenario.tenancies;
      const [agent] = scenario.agents;
      await agent?.program.end("SIGTERM");
      const expiresAtMs = Date.now() + TOKEN_LIFETIME_MS - CLOCK_TOLERANCE_MS;
      await scenario.writeToken(tenancy, Math.floor(expiresAtMs / 1000));
      const { stderr, pid } = agent?.start() ?? {};
      const countSessions = (): number => (stderr?.() ?? "").split("session opened").length - 1;
      await eventually("the session", () => expect(countSessions()).toBe(1));
      await eventually("the end of the token", () => expect(stderr?.()).toContain("token: expired"));
      await scenario.pause(3_000);
      await scenario.writeToken(tenancy);
      await eventually("the next session", () => expect(countSessions()).toBe(2));
      expect(agent?.program.pid).toBe(pid);
    });
  });
});
