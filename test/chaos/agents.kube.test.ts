import { expect, it } from "vitest";
import { CLOCK_TOLERANCE_MS } from "../../src/rpc/auth/jwt/claims.ts";
import { killAtEach } from "../support/chaos/kill-at-each.ts";
import { runScenario } from "../support/chaos/scenario.ts";
import { describeChaos } from "../support/chaos/servers.ts";
import { eventually } from "../support/e2e/eventually.ts";

/** Time after which the server refuses a token: longer than the agent needs to connect again on a busy machine. */
const TOKEN_LIFETIME_MS = 10_000;

describeChaos("agents that are killed, or whose token expires, under churn", (servers) => {
  it("R10: agents are killed at each of their failpoints", async () => {
    const options = { name: "kill-agents", size: "server", areRepairsExpected: true } as const;
    await runScenario(servers, options, async (scenario) => {
      const [first, second] = scenario.agents;
      await killAtEach(scenario, first, ["after-read", "before-send", "after-receive"]);
      await killAtEach(scenario, second, ["after-watch", "after-send"]);
    });
  });

  it("a token expires in mid-stream, and its file gets the next one later", async () => {
    const options = { name: "token", size: "server" } as const;
    await runScenario(servers, options, async ({ tenancies, agents, links, writeToken, pause }) => {
      const [tenancy] = tenancies;
      const { stderr, pid } = agents[0]?.program ?? {};
      const countSessions = (): number => (stderr?.() ?? "").split("session opened").length - 1;
      const expiresAtMs = Date.now() + TOKEN_LIFETIME_MS - CLOCK_TOLERANCE_MS;
      await writeToken(tenancy, Math.floor(expiresAtMs / 1000));
      const before = countSessions();
      links.backends[0]?.cut();
      links.backends[0]?.heal();
      await eventually("a session with the token", () => expect(countSessions()).toBe(before + 1));
      await eventually("the end of the token", () => expect(stderr?.()).toContain("token: expired"));
      await pause(3_000);
      await writeToken(tenancy);
      await eventually("the next session", () => expect(countSessions()).toBe(before + 2));
      expect(agents[0]?.program.pid).toBe(pid);
    });
  });
});
