import { it } from "vitest";
import { runScenario } from "../support/chaos/scenario.ts";
import { describeChaos } from "../support/chaos/servers.ts";
import type { TcpProxy } from "../support/chaos/tcp-proxy.ts";

/** Delay of each chunk of bytes, in milliseconds. */
const DELAY_MS = 150;

describeChaos("connections that fail under churn", (servers) => {
  const size = { backends: 1, ingesters: 1 };

  it("connections of agents to the backend", async () => {
    await runScenario(servers(), { name: "link-backend", size }, async ({ links, pause }) => {
      for (const link of links.backends) {
        await disturb(link, pause);
      }
    });
  });

  it("connections of the backend and the ingester to Postgres", async () => {
    await runScenario(servers(), { name: "link-database", size }, async ({ links, pause }) => {
      await disturb(links.database, pause);
    });
  });

  it("connections of agents to the API server", async () => {
    // A frozen watch misses changes until its time limit.
    const options = { name: "link-kube", size: "server", areRepairsExpected: true } as const;
    await runScenario(servers(), options, async ({ links, pause }) => {
      await disturb(links.kube, pause);
    });
  });
});

/** Delays, cuts, stops one direction, and at last freezes the connections. */
async function disturb(link: TcpProxy, pause: (maxMs: number) => Promise<void>): Promise<void> {
  link.delay(DELAY_MS);
  await pause(3_000);
  link.cut();
  await pause(2_000);
  link.heal();
  await pause(3_000);
  for (const direction of ["toServer", "toClient"] as const) {
    link.passOnly(direction);
    await pause(2_000);
    // The outcome of requests on the way stays unknown.
    link.cut();
    link.heal();
    await pause(2_000);
  }
  link.freeze();
}
