import { expect, it } from "vitest";
import { administer } from "../support/bus/pulsar-tenant.ts";
import { whileFrozen } from "../support/chaos/frozen.ts";
import { runScenario, type Scenario } from "../support/chaos/scenario.ts";
import { describeChaos } from "../support/chaos/servers.ts";
import { eventually } from "../support/e2e/eventually.ts";
import type { Program } from "../support/e2e/programs.ts";

const QUOTA_BYTES = 256 * 1024;
const LIFTED_QUOTA_BYTES = 1024 ** 3;

/** Lines of the log. */
const LOST = "producer connection lost";
const CUT_OFF = "consumer cut off";

describeChaos("a broker that is full or frozen, under churn", (shared) => {
  const size = { backends: 1, ingesters: 1 };

  it("the broker refuses messages, holds them, and is frozen until the programs give up their connections", async () => {
    const broker = shared.brokerToFreeze;
    const options = { name: "broker", size, maxTextBytes: 30_000 };
    await runScenario({ ...shared, broker }, options, async (scenario) => {
      const { backends, ingesters, pause } = scenario;
      for (const policy of ["producer_exception", "producer_request_hold"]) {
        await fillBroker(scenario, policy);
      }
      // The ingester has begun to read, so that it has a connection to give up.
      await scenario.untilVerified();
      const lost = count(backends[0]?.program, LOST);
      const cutOff = count(ingesters[0]?.program, CUT_OFF);
      await whileFrozen(broker.processId, async () => {
        await eventually("the backend to give up", () =>
          expect(count(backends[0]?.program, LOST)).toBeGreaterThan(lost),
        );
        await eventually("the ingester to give up", () =>
          expect(count(ingesters[0]?.program, CUT_OFF)).toBeGreaterThan(cutOff),
        );
        await pause(2_000);
      });
      await pause(2_000);
    });
  });
});

/** Sets a quota, and stops the ingester until the broker has ended the backend's producers. Then lifts the quota. */
async function fillBroker(scenario: Scenario, policy: string): Promise<void> {
  const { busTenant, servers, pause, backends, ingesters } = scenario;
  const admin = administer(servers.broker.adminUrl, busTenant);
  const setQuota = (limitBytes: number): Promise<void> =>
    admin.setPolicies(AbortSignal.timeout(60_000), "main", { backlogQuota: { limitBytes, policy } });
  const [ingester] = ingesters;
  const countInBackend = (line: string): number => count(backends[0]?.program, line);
  const before = countInBackend(LOST);
  await setQuota(QUOTA_BYTES);
  await ingester?.program.end("SIGTERM");
  await eventually("the broker to end a producer", () =>
    expect(countInBackend(LOST)).toBeGreaterThan(before),
  );
  await pause(2_000);
  ingester?.start();
  await setQuota(LIFTED_QUOTA_BYTES);
  await eventually("the producers to be restored", () =>
    expect(countInBackend("producer connection restored")).toBe(countInBackend(LOST)),
  );
}

/** Counts the lines of a program's log with a text. */
function count(program: Program | undefined, text: string): number {
  return (program?.stderr() ?? "").split(text).length - 1;
}
