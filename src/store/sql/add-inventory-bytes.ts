import type { Pool } from "pg";
import type { RunAttempt } from "../ingest-store.ts";

/** Adds to the bytes of inventory that a run has sent to the agent. */
export async function addInventoryBytes(
  pool: Pool,
  { position, request }: RunAttempt,
  bytes: number,
): Promise<void> {
  await pool.query(
    `UPDATE reconciliation_run SET inventory_bytes = inventory_bytes + $4
     WHERE account = $1 AND cluster = $2 AND id = $3`,
    [position.account, position.cluster, request.runId, bytes],
  );
}
