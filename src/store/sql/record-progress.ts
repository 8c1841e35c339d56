import type { ClientBase } from "pg";
import type { StreamPosition } from "../ingest-store.ts";

/** How far a session's stream has been applied. */
export interface Progress {
  readonly appliedSequence: bigint;
  /** Something in front of this sequence was lost; 0 when nothing was. */
  readonly gapSequence: bigint;
  /** Last sequence of which something was refused; 0 when nothing was. */
  readonly refusedSequence: bigint;
}

/**
 * Records that the message at this position was applied, and what was lost in front of it or refused of it.
 *
 * A gap stays recorded even if the missing message comes late: what was applied behind it was applied without it.
 * Undefined when the session is unknown, as after a restore of the database.
 */
export async function recordProgress(
  client: ClientBase,
  { account, cluster, epoch, sequence }: StreamPosition,
  { refused, now }: { readonly refused: boolean; readonly now: Date },
): Promise<Progress | undefined> {
  const { rows } = await client.query<{ applied: string; gap: string; refused: string }>(RECORD, [
    account,
    cluster,
    epoch,
    sequence,
    refused,
    now,
  ]);
  const [row] = rows;
  return (
    row && {
      appliedSequence: BigInt(row.applied),
      gapSequence: BigInt(row.gap),
      refusedSequence: BigInt(row.refused),
    }
  );
}

/** Whether the session is the cluster's current one: scopes, runs and their ends count in no other. */
export async function isCurrentSession(
  client: ClientBase,
  { account, cluster, epoch }: StreamPosition,
): Promise<boolean> {
  const { rowCount } = await client.query(
    "SELECT 1 FROM cluster WHERE account = $1 AND name = $2 AND epoch = $3",
    [account, cluster, epoch],
  );
  return rowCount === 1;
}

const RECORD = `
WITH seen AS (
  UPDATE cluster SET last_event_at = $6 WHERE account = $1 AND name = $2
)
UPDATE agent_session SET
  gap_sequence = CASE WHEN $4::bigint > applied_sequence + 1 THEN $4 ELSE gap_sequence END,
  refused_sequence = CASE WHEN $5 THEN greatest(refused_sequence, $4) ELSE refused_sequence END,
  applied_sequence = greatest(applied_sequence, $4)
WHERE account = $1 AND cluster = $2 AND epoch = $3
RETURNING applied_sequence AS applied, gap_sequence AS gap, refused_sequence AS refused`;
