import { expect, it } from "vitest";
import { killAtEach } from "../support/chaos/kill-at-each.ts";
import { runScenario } from "../support/chaos/scenario.ts";
import { describeChaos } from "../support/chaos/servers.ts";
import { eventually } from "../support/e2e/eventually.ts";

describeChaos("programs that are killed or stopped under churn", (servers) => {
  it("a backend is killed at each of its failpoints", async () => {
    const size = { backends: 1, ingesters: 1 };
    await runScenario(servers, { name: "kill-backend", size }, async (scenario) => {
      const [backend] = scenario.backends;
      await killAtEach(scenario, backend, [
        "after-commit",
        "before-publish",
        "after-publish",
        "after-receive",
      ]);
    });
  });

  it("all backends and ingesters are stopped and started one by one", async () => {
    const size = { backends: 2, ingesters: 2 };
    await runScenario(servers, { name: "rolling", size }, async (scenario) => {
      for (const member of [...scenario.backends, ...scenario.ingesters]) {
        expect(await member.program.end("SIGTERM")).toEqual({ code: 0, signal: null });
        const { stderr } = member.start();
        await eventually("the program to start", () =>
          expect(stderr()).toMatch(/"(backend|ingester) started"/),
        );
        await scenario.pause(2_000);
      }
    });
  });
});
