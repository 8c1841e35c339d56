import type { ClientBase } from "pg";
import type { ClusterKey } from "../postgres/database.ts";

const TABLES = [
  "kubernetes_object",
  "resource_state",
  "reconciliation_run",
  "reconciliation_result",
  "reconciliation_finding",
  "agent_session",
] as const;

/** Gives all rows of a cluster another name. Returns the number of rows of objects. The caller holds both locks. */
export async function renameCluster(
  client: ClientBase,
  { account, cluster }: ClusterKey,
  newName: string,
): Promise<number> {
  const counts: number[] = [];
  for (const table of TABLES) {
    const { rowCount } = await client.query(
      `UPDATE ${table} SET cluster = $3 WHERE account = $1 AND cluster = $2`,
      [account, cluster, newName],
    );
    counts.push(rowCount ?? 0);
  }
  await client.query("DELETE FROM agent_standby WHERE account = $1 AND cluster = $2", [account, cluster]);
  await client.query("UPDATE cluster SET name = $3 WHERE account = $1 AND name = $2", [
    account,
    cluster,
    newName,
  ]);
  return counts[0] ?? 0;
}
