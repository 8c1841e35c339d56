import type { ClientBase } from "pg";
import type { ClusterKey } from "../postgres/database.ts";

/**
 * Marks the name as removed, and deletes the state of its resource types, so that late events are out of scope. Returns
 * the number of resource types.
 */
export async function markRemoved(client: ClientBase, { account, cluster }: ClusterKey): Promise<number> {
  await client.query(MARK_REMOVED, [account, cluster]);
  const { rowCount } = await client.query("DELETE FROM resource_state WHERE account = $1 AND cluster = $2", [
    account,
    cluster,
  ]);
  return rowCount ?? 0;
}

/** Tables whose rows are deleted in steps. */
type ClusterTable =
  | "kubernetes_object"
  | "reconciliation_finding"
  | "dry_run_finding"
  | "reconciliation_result"
  | "reconciliation_run"
  | "agent_session"
  | "agent_standby"
  | "deletion_set"
  | "deletion_set_resource"
  | "staged_deletion";

/** Rows that one step deletes. It takes less than a second, so no ingester waits long for the lock. */
const STEP_ROWS = 5_000;

/** Deletes the next rows of a cluster. Returns their number; 0 if none is left. */
export async function deleteRows(
  client: ClientBase,
  table: ClusterTable,
  { account, cluster }: ClusterKey,
): Promise<number> {
  const { rowCount } = await client.query(
    `DELETE FROM ${table} WHERE ctid = ANY (ARRAY(
       SELECT ctid FROM ${table} WHERE account = $1 AND cluster = $2 LIMIT ${STEP_ROWS}
     ))`,
    [account, cluster],
  );
  return rowCount ?? 0;
}

/** Frees the name of a removed cluster. */
export async function forgetCluster(client: ClientBase, { account, cluster }: ClusterKey): Promise<void> {
  await client.query("DELETE FROM cluster WHERE account = $1 AND name = $2", [account, cluster]);
}

const MARK_REMOVED =
  "UPDATE cluster SET removed_at = COALESCE(removed_at, now()) WHERE account = $1 AND name = $2";
