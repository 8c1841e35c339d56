import { it } from "vitest";
import { disturb, silence } from "../support/chaos/disturb.ts";
import { runScenario } from "../support/chaos/scenario.ts";
import { describeChaos } from "../support/chaos/servers.ts";

describeChaos("connections of messages that fail under churn", (servers) => {
  const size = { backends: 1, ingesters: 1 };

  it("connections of agents to the backend", async () => {
    await runScenario(servers, { name: "link-backend", size }, async (scenario) => {
      for (const link of scenario.links.backends) {
        await disturb(scenario, link);
        silence(scenario, link);
      }
    });
  });

  it("connections of the backend and of the ingester to the broker", async () => {
    await runScenario(servers, { name: "link-broker", size }, async (scenario) => {
      const { backendBroker, ingesterBroker } = scenario.links;
      await disturb(scenario, backendBroker);
      await disturb(scenario, ingesterBroker);
      silence(scenario, backendBroker);
      silence(scenario, ingesterBroker);
    });
  });
});
