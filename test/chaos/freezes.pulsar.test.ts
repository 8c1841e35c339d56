import { execFileSync } from "node:child_process";
import pg from "pg";
import { expect, it } from "vitest";
import type { Tenancy } from "../support/chaos/fleet.ts";
import { runScenario } from "../support/chaos/scenario.ts";
import { describeChaos } from "../support/chaos/servers.ts";
import { eventually } from "../support/e2e/eventually.ts";

/** Time after which a standby must have the session of a silent backend, in milliseconds. */
const TAKEOVER_MS = 35_000;

describeChaos("programs that are frozen under churn", (servers) => {
  it("R61: a backend is frozen until a standby at another one has its session", async () => {
    const size = { backends: 2, ingesters: 1 };
    // The standby is another process, which did not see the changes before its time.
    const options = { name: "freeze-backend", size, areRepairsExpected: true };
    await runScenario(servers(), options, async (scenario) => {
      const { databaseUrl, tenancies, backends } = scenario;
      const [tenancy] = tenancies;
      const standby = await scenario.startAgent(tenancy, 1);
      await eventually("the standby", () =>
        expect(standby.program.stderr()).toContain("waiting as a standby"),
      );
      const before = await readSession(databaseUrl, tenancy);
      const frozen = backends[0]?.program.pid ?? 0;
      const frozenAt = Date.now();
      process.kill(frozen, "SIGSTOP");
      const after = await eventually("the takeover", async () => {
        const session = await readSession(databaseUrl, tenancy);
        expect(session.instanceId).not.toBe(before.instanceId);
        return session;
      });
      expect(after.openedAt.getTime() - frozenAt).toBeLessThan(TAKEOVER_MS);
      await scenario.pause(2_000);
      process.kill(frozen, "SIGCONT");
      await eventually("the replaced agent to become a standby", () =>
        expect(scenario.agents[0]?.program.stderr()).toContain("waiting as a standby"),
      );
      expect((await readSession(databaseUrl, tenancy)).instanceId).toBe(after.instanceId);
    });
  });

  it("I9, R38: an ingester is frozen in a transaction until Postgres has ended it", async () => {
    const size = { backends: 1, ingesters: 2 };
    await runScenario(servers(), { name: "freeze-ingester", size }, async (scenario) => {
      const [first, second] = scenario.ingesters;
      await first?.program.end("SIGTERM");
      await second?.program.end("SIGTERM");
      const passing = 1 + Math.floor(scenario.random.float() * 20);
      const frozen = first?.start({ point: "before-commit", passing, signal: "SIGSTOP" });
      await eventually("the ingester to be frozen", () => expect(isStopped(frozen?.pid)).toBe(true));
      // It has messages of both clusters, and the lock of at least one of them.
      second?.start();
      await eventually("an idle transaction", async () =>
        expect(await countIdleTransactions(scenario.databaseUrl)).toBeGreaterThan(0),
      );
      await eventually("Postgres to end it", async () =>
        expect(await countIdleTransactions(scenario.databaseUrl)).toBe(0),
      );
      process.kill(frozen?.pid ?? 0, "SIGCONT");
      await scenario.pause(2_000);
    });
  });
});

interface SessionRow {
  readonly instanceId: string;
  readonly openedAt: Date;
}

/** Returns the newest session of a cluster. */
async function readSession(databaseUrl: string, { account, cluster }: Tenancy): Promise<SessionRow> {
  const [session] = await select<SessionRow>(
    databaseUrl,
    `SELECT instance_id AS "instanceId", opened_at AS "openedAt" FROM agent_session
     WHERE account = $1 AND cluster = $2 ORDER BY epoch DESC LIMIT 1`,
    [account, cluster],
  );
  expect(session).toBeDefined();
  return session as SessionRow;
}

/** Counts the transactions that wait for their client. */
async function countIdleTransactions(databaseUrl: string): Promise<number> {
  const rows = await select(
    databaseUrl,
    `SELECT pid FROM pg_stat_activity WHERE datname = current_database()
     AND state LIKE 'idle in transaction%' AND state_change < clock_timestamp() - interval '1 s'`,
  );
  return rows.length;
}

async function select<Row extends pg.QueryResultRow>(
  databaseUrl: string,
  statement: string,
  parameters: readonly string[] = [],
): Promise<readonly Row[]> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    return (await client.query<Row>(statement, [...parameters])).rows;
  } finally {
    await client.end();
  }
}

/** True if a signal has stopped the process. */
function isStopped(pid: number | undefined): boolean {
  return execFileSync("ps", ["-o", "stat=", "-p", String(pid)], { encoding: "utf8" }).startsWith("T");
}
