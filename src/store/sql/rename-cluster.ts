import type { ClientBase } from "pg";
import type { ClusterKey } from "../postgres/database.ts";
import { supersedeDeletions } from "./deletion-sets.ts";

const TABLES = [
  "kubernetes_object",
  "resource_state",
  "reconciliation_run",
  "reconciliation_result",
  "reconciliation_finding",
  "dry_run_finding",
  "agent_session",
  "deletion_set",
  "deletion_set_resource",
  "staged_deletion",
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

/**
 * Binds the name to another uid. Events of earlier epochs do not apply any more. Each resource type begins a new
 * incarnation, numbered by the current epoch, so every observation of the new cluster is newer than every row.
 */
export async function rebindCluster(
  client: ClientBase,
  { account, cluster }: ClusterKey,
  uid: string,
): Promise<void> {
  await client.query(BIND, [account, cluster, uid]);
  await client.query(RESET_STATES, [account, cluster]);
  await supersedeDeletions(client, { account, cluster });
}

const BIND = "UPDATE cluster SET uid = $3, first_epoch = epoch WHERE account = $1 AND name = $2";

const RESET_STATES = `
UPDATE resource_state k SET
  incarnation = c.epoch, low_watermark = 0, high_watermark = 0, purged_version = 0,
  verified_at = NULL, failure_reason = NULL, failure_message = NULL
FROM cluster c
WHERE c.account = $1 AND c.name = $2 AND k.account = $1 AND k.cluster = $2`;
