import { execFileSync } from "node:child_process";
import { rmSync } from "node:fs";
import { expect, it } from "vitest";
import { administer } from "../support/bus/pulsar-tenant.ts";
import { runScenario, type Scenario } from "../support/chaos/scenario.ts";
import { describeChaos } from "../support/chaos/servers.ts";
import { eventually } from "../support/e2e/eventually.ts";
import { createHandOnRows } from "../support/e2e/rows.ts";

/** Writes to rows that the restored copy lacks, at least. */
const MIN_LOST_WRITES = 20;

const QUOTA_BYTES = 256 * 1024;
const LIFTED_QUOTA_BYTES = 1024 ** 3;

describeChaos("a Postgres that goes back, and a broker that is full, under churn", (servers) => {
  it("Postgres is restored to an older copy", async () => {
    const size = { backends: 1, ingesters: 1 };
    const options = { name: "postgres-restore", size, areRepairsExpected: true };
    await runScenario(servers(), options, async ({ databaseUrl, tenancies, pause }) => {
      const { postgres } = servers();
      const rows = createHandOnRows(() => databaseUrl, tenancies[0].cluster);
      const countWrites = async (): Promise<number> => {
        const [found] = await rows.sql("SELECT count(*) AS writes FROM row_history WHERE cluster = $1");
        return Number(found?.["writes"]);
      };
      const backup = `${postgres.dataDirectory}-backup`;
      await postgres.restart(async () => copyDirectory(postgres.dataDirectory, backup));
      const copied = await countWrites();
      await eventually("writes that the copy lacks", async () =>
        expect(await countWrites()).toBeGreaterThan(copied + MIN_LOST_WRITES),
      );
      await pause(5_000);
      await postgres.restart(async () => {
        rmSync(postgres.dataDirectory, { recursive: true });
        copyDirectory(backup, postgres.dataDirectory);
      });
      await pause(2_000);
    });
  });

  it("the broker refuses messages above a quota, and holds them above another one", async () => {
    const size = { backends: 1, ingesters: 1 };
    const options = { name: "broker-full", size, maxTextBytes: 100_000 };
    await runScenario(servers(), options, async (scenario) => {
      for (const policy of ["producer_exception", "producer_request_hold"]) {
        await fillBroker(scenario, policy);
      }
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
  const count = (line: string): number => (backends[0]?.program.stderr() ?? "").split(line).length - 1;
  const before = count("producer connection lost");
  await setQuota(QUOTA_BYTES);
  await ingester?.program.end("SIGTERM");
  await eventually("the broker to end a producer", () =>
    expect(count("producer connection lost")).toBeGreaterThan(before),
  );
  await pause(2_000);
  ingester?.start();
  await setQuota(LIFTED_QUOTA_BYTES);
  await eventually("the producers to be restored", () =>
    expect(count("producer connection restored")).toBe(count("producer connection lost")),
  );
}

/** Copies a directory with the owner and the modes that Postgres requires. */
function copyDirectory(from: string, to: string): void {
  execFileSync("cp", ["-a", from, to]);
}
