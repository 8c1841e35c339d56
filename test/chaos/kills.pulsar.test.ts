import { expect, it } from "vitest";
import type { FailpointName } from "../support/chaos/failpoints.ts";
import type { Member } from "../support/chaos/fleet.ts";
import { runScenario, type Scenario } from "../support/chaos/scenario.ts";
import { describeChaos } from "../support/chaos/servers.ts";
import { eventually } from "../support/e2e/eventually.ts";

/** Highest number of the passing that kills a program. */
const MAX_PASSING = 6;

describeChaos("programs that are killed or stopped under churn", (servers) => {
  it("a backend is killed at each of its failpoints", async () => {
    const size = { backends: 1, ingesters: 1 };
    await runScenario(servers(), { name: "kill-backend", size }, async (scenario) => {
      const [backend] = scenario.backends;
      await killAtEach(scenario, backend, [
        "after-commit",
        "before-publish",
        "after-publish",
        "after-receive",
      ]);
    });
  });

  it("R19: an ingester is killed at each of its failpoints", async () => {
    const size = { backends: 1, ingesters: 1 };
    await runScenario(servers(), { name: "kill-ingester", size }, async (scenario) => {
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

  it("R10: both agents are killed repeatedly", async () => {
    const options = { name: "kill-agents", size: "server", areRepairsExpected: true } as const;
    await runScenario(servers(), options, async (scenario) => {
      for (let round = 0; round < 3; round += 1) {
        for (const agent of scenario.agents) {
          await agent.program.end("SIGKILL");
          await scenario.pause(1_000);
          agent.start();
          await scenario.pause(2_000);
        }
      }
    });
  });

  it("all backends and ingesters are stopped and started one by one", async () => {
    const size = { backends: 2, ingesters: 2 };
    await runScenario(servers(), { name: "rolling", size }, async (scenario) => {
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

/** Restarts a program once for each failpoint, and once without one. Each failpoint must kill it. */
async function killAtEach(
  { random, pause }: Scenario,
  member: Member | undefined,
  points: readonly FailpointName[],
): Promise<void> {
  await member?.program.end("SIGKILL");
  for (const point of points) {
    const passing = 1 + Math.floor(random.float() * MAX_PASSING);
    const failing = member?.start({ point, passing, signal: "SIGKILL" });
    await eventually(`the program to be killed at ${point}:${passing}`, () => {
      expect(failing?.isRunning()).toBe(false);
    });
    expect(await failing?.ended).toEqual({ code: null, signal: "SIGKILL" });
    await pause(500);
  }
  member?.start();
}
