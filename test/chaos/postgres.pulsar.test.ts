import { execFileSync } from "node:child_process";
import { rmSync } from "node:fs";
import { expect, it } from "vitest";
import { whileFrozen } from "../support/chaos/frozen.ts";
import { runScenario } from "../support/chaos/scenario.ts";
import { describeChaos, ownServer } from "../support/chaos/servers.ts";
import { startChaosPostgres } from "../support/chaos/start-servers.ts";
import { eventually } from "../support/e2e/eventually.ts";
import { createHandOnRows } from "../support/e2e/rows.ts";

/** Writes to rows that the restored copy lacks, at least. */
const MIN_LOST_WRITES = 20;

describeChaos("a Postgres that goes back or is frozen, under churn", (shared) => {
  const own = ownServer(startChaosPostgres);
  const size = { backends: 1, ingesters: 1 };

  it("Postgres is restored to an older copy", async () => {
    const postgres = own();
    const options = { name: "postgres-restore", size, areRepairsExpected: true };
    await runScenario({ ...shared, postgres }, options, async ({ databaseUrl, tenancies, pause }) => {
      const rows = createHandOnRows(() => databaseUrl, tenancies[0].cluster);
      const countWrites = async (): Promise<number> => {
        const [found] = await rows.sql("SELECT count(*) AS writes FROM row_history WHERE cluster = $1");
        return Number(found?.["writes"]);
      };
      const backup = `${postgres.dataDirectory}-backup`;
      await postgres.restart(async () => copyDirectory(postgres.dataDirectory, backup));
      const copied = await countWrites();
      await eventually(
        "writes that the copy lacks",
        async () => expect(await countWrites()).toBeGreaterThan(copied + MIN_LOST_WRITES),
        { intervalMs: 250 },
      );
      await pause(5_000);
      await postgres.restart(async () => {
        rmSync(postgres.dataDirectory, { recursive: true });
        copyDirectory(backup, postgres.dataDirectory);
      });
      await pause(2_000);
    });
  });

  it("Postgres is frozen until backend and ingester have given up their queries", async () => {
    const postgres = own();
    const options = { name: "freeze-postgres", size };
    await runScenario({ ...shared, postgres }, options, async ({ backends, ingesters, pause }) => {
      await whileFrozen(postgres.processId(), async () => {
        for (const { program } of [...backends, ...ingesters]) {
          await eventually("a query to be given up", () =>
            expect(program.stderr()).toContain("Query read timeout"),
          );
        }
        await pause(2_000);
      });
      await pause(2_000);
    });
  });
});

/** Copies a directory with the owner and the modes that Postgres requires. */
function copyDirectory(from: string, to: string): void {
  execFileSync("cp", ["-a", from, to]);
}
