import { it } from "vitest";
import { disturb, silence } from "../support/chaos/disturb.ts";
import { runScenario } from "../support/chaos/scenario.ts";
import { describeChaos } from "../support/chaos/servers.ts";

describeChaos("connections of messages that fail under churn", (servers) => {
  it("connections of agents to the backend, and of backend and ingester to the broker", async () => {
    const size = { backends: 1, ingesters: 1 };
    await runScenario(servers, { name: "link-bus", size }, async (scenario) => {
      const { backends, backendBroker, ingesterBroker } = scenario.links;
      const links = [...backends, backendBroker, ingesterBroker];
      for (const link of links) {
        await disturb(scenario, link);
      }
      for (const link of links) {
        silence(scenario, link);
      }
    });
  });
});
