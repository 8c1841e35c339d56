import { it } from "vitest";
import { disturb, silence } from "../support/chaos/disturb.ts";
import { runScenario } from "../support/chaos/scenario.ts";
import { describeChaos } from "../support/chaos/servers.ts";

describeChaos("connections to Postgres and to the API server that fail under churn", (servers) => {
  it("connections of the backend and of the ingester to Postgres", async () => {
    const size = { backends: 1, ingesters: 1 };
    await runScenario(servers, { name: "link-database", size }, async (scenario) => {
      const { backendDatabase, ingesterDatabase } = scenario.links;
      const links = [backendDatabase, ingesterDatabase];
      for (const link of links) {
        await disturb(scenario, link);
      }
      for (const link of links) {
        silence(scenario, link);
      }
    });
  });

  it("connections of agents to the API server", async () => {
    // A frozen watch misses changes until its time limit.
    const options = { name: "link-kube", size: "server", areRepairsExpected: true } as const;
    await runScenario(servers, options, async (scenario) => {
      await disturb(scenario, scenario.links.kube);
      silence(scenario, scenario.links.kube);
    });
  });
});
