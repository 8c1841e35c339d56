import { it } from "vitest";
import { killAtEach } from "../support/chaos/kill-at-each.ts";
import { runScenario } from "../support/chaos/scenario.ts";
import { describeChaos } from "../support/chaos/servers.ts";

describeChaos("an ingester that is killed under churn", (servers) => {
  it("R19: at each of its failpoints", async () => {
    const size = { backends: 1, ingesters: 1 };
    await runScenario(servers, { name: "kill-ingester", size }, async (scenario) => {
      const [ingester] = scenario.ingesters;
      await killAtEach(scenario, ingester, [
        "after-receive",
        "before-commit",
        "after-commit",
        "before-acknowledge",
        "after-acknowledge",
        "before-publish",
        "after-publish",
      ]);
    });
  });
});
