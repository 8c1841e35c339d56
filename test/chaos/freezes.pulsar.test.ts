import { execFileSync } from "node:child_process";
import { expect, it } from "vitest";
import type { Member } from "../support/chaos/fleet.ts";
import { whileFrozen } from "../support/chaos/frozen.ts";
import { runScenario, type Scenario } from "../support/chaos/scenario.ts";
import { describeChaos } from "../support/chaos/servers.ts";
import { countIdleTransactions, readActiveInstance } from "../support/chaos/sessions.ts";
import { eventually } from "../support/e2e/eventually.ts";

describeChaos("programs that are frozen under churn", (servers) => {
  it("R61: a backend, and then an agent, is frozen until a standby has its session", async () => {
    const size = { backends: 2, ingesters: 1 };
    // A standby is another process, which did not see the changes before its time.
    const options = { name: "freeze-sessions", size, areRepairsExpected: true };
    await runScenario(servers, options, async (scenario) => {
      const [backend] = scenario.backends;
      const [first] = scenario.agents;
      const second = await scenario.startAgent(scenario.tenancies[0], 1);
      await freezeUntilReplaced(scenario, { frozen: backend, active: first, standby: second });
      await freezeUntilReplaced(scenario, { frozen: second, active: second, standby: first });
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

/** Two agents of the first cluster. */
interface Takeover {
  /** The active agent or its backend. */
  readonly frozen: Member | undefined;
  readonly active: Member | undefined;
  readonly standby: Member | undefined;
}

/** Freezes a program until the standby has the session of the active agent. The frozen side must not get it back. */
async function freezeUntilReplaced(
  { databaseUrl, tenancies: [tenancy], pause }: Scenario,
  { frozen, active, standby }: Takeover,
): Promise<void> {
  await eventually("the standby", () => expect(countWaits(standby)).toBeGreaterThan(0));
  const waits = countWaits(active);
  const before = await readActiveInstance(databaseUrl, tenancy);
  let after = before;
  const look = async (): Promise<void> => {
    after = await readActiveInstance(databaseUrl, tenancy);
    expect(after).not.toBe(before);
  };
  await whileFrozen(frozen?.program.pid, async () => {
    await eventually("the takeover", look, { intervalMs: 250 });
    await pause(2_000);
  });
  await eventually("the replaced agent to become a standby", () =>
    expect(countWaits(active)).toBeGreaterThan(waits),
  );
  expect(await readActiveInstance(databaseUrl, tenancy)).toBe(after);
}

/** Counts how often an agent began to wait as a standby. */
function countWaits(member: Member | undefined): number {
  return (member?.program.stderr() ?? "").split("waiting as a standby").length - 1;
}

/** True if a signal has stopped the process. */
function isStopped(pid: number | undefined): boolean {
  return execFileSync("ps", ["-o", "stat=", "-p", String(pid)], { encoding: "utf8" }).startsWith("T");
}
