import type pg from "pg";
import { expect } from "vitest";
import { withClient } from "../postgres/with-client.ts";
import type { Tenancy } from "./fleet.ts";

/** Returns the agent that opened the newest session of a cluster. */
export async function readActiveInstance(
  databaseUrl: string,
  { account, cluster }: Tenancy,
): Promise<string> {
  const [session] = await select<{ instanceId: string }>(
    databaseUrl,
    `SELECT instance_id AS "instanceId" FROM agent_session
     WHERE account = $1 AND cluster = $2 ORDER BY epoch DESC LIMIT 1`,
    [account, cluster],
  );
  expect(session).toBeDefined();
  return session?.instanceId ?? "";
}

/** Counts the transactions that have waited for their client for a second. */
export async function countIdleTransactions(databaseUrl: string): Promise<number> {
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
  return await withClient(
    { connectionString: databaseUrl },
    async (client) => (await client.query<Row>(statement, [...parameters])).rows,
  );
}
