import { execFileSync } from "node:child_process";
import { expect, it } from "vitest";
import type { Member } from "../support/chaos/fleet.ts";
import { whileFrozen } from "../support/chaos/frozen.ts";
import { runScenario, type Scenario } from "../support/chaos/scenario.ts";
import { describeChaos } from "../support/chaos/servers.ts";
import { countIdleTransactions, readActiveInstance } from "../support/chaos/sessions.ts";
import { eventually } from "../support/e2e/eventually.ts";

describeChaos("programs that are frozen under churn", (servers) => {
  it("R61: a backend is frozen until a standby at another one has its session", async () => {
    const size = { backends: 2, ingesters: 1 };
    // The standby is another process, which did not see the changes before its time.
    const options = { name: "freeze-backend", size, areRepairsExpected: true };
    await runScenario(servers, options, async (scenario) => {
      await freezeUntilReplaced(scenario, scenario.backends[0], 1);
    });
  });

  it("R61: an agent is frozen until a standby has its session", async () => {
    const options = { name: "freeze-agent", size: "server", areRepairsExpected: true } as const;
    await runScenario(servers, options, async (scenario) => {
      await freezeUntilReplaced(scenario, scenario.agents[0], 0);
    });
  });

  it("I9, R38: an ingester is frozen in a transaction until Postgres has ended it", async () => {
    const size = { backends: 1, ingesters: 2 };
    await runScenario(servers, { name: "freeze-ingester", size }, async (scenario) => {
      const [first, second] = scenario.ingesters;
      await first?.program.end("SIGTERM");
      await second?.program.end("SIGTERM");
      const passing = 1 + Math.floor(scenario.random.float() * 20);
      const frozen = first?.start({ point: "before-commit", passing, signal: "SIGSTOP" });
      await eventually("the ingester to be frozen", () => expect(isStopped(frozen?.pid)).toBe(true));
      // It has messages of both clusters, and the lock of at least one of them.
      second?.start();
      await eventually(
        "an idle transaction",
        async () => expect(await countIdleTransactions(scenario.databaseUrl)).toBeGreaterThan(0),
        { intervalMs: 250 },
      );
      await eventually(
        "Postgres to end it",
        async () => expect(await countIdleTransactions(scenario.databaseUrl)).toBe(0),
        { intervalMs: 250 },
      );
      process.kill(frozen?.pid ?? 0, "SIGCONT");
      await scenario.pause(2_000);
    });
  });
});

/**
 * Freezes the agent of the first cluster, or its backend, until a standby at the backend of this index has the session.
 * The frozen side must not get it back.
 */
async function freezeUntilReplaced(
  scenario: Scenario,
  member: Member | undefined,
  standbyBackend: number,
): Promise<void> {
  const { databaseUrl, tenancies, agents } = scenario;
  const [tenancy] = tenancies;
  const standby = await scenario.startAgent(tenancy, standbyBackend);
  await eventually("the standby", () => expect(standby.program.stderr()).toContain("waiting as a standby"));
  const before = await readActiveInstance(databaseUrl, tenancy);
  let after = before;
  await whileFrozen(member?.program.pid ?? 0, async () => {
    const look = async (): Promise<void> => {
      after = await readActiveInstance(databaseUrl, tenancy);
      expect(after).not.toBe(before);
    };
    await eventually("the takeover", look, { intervalMs: 250 });
    await scenario.pause(2_000);
  });
  await eventually("the replaced agent to become a standby", () =>
    expect(agents[0]?.program.stderr()).toContain("waiting as a standby"),
  );
  expect(await readActiveInstance(databaseUrl, tenancy)).toBe(after);
}

/** True if a signal has stopped the process. */
function isStopped(pid: number | undefined): boolean {
  return execFileSync("ps", ["-o", "stat=", "-p", String(pid)], { encoding: "utf8" }).startsWith("T");
}
