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

/** What is recorded of a message that was applied. */
export interface Applied {
  /** Something of it could not be applied. */
  readonly refused: boolean;
  readonly now: Date;
  /** The run that it answers, and the bytes of what it puts right. */
  readonly repair?: { readonly runId: string; readonly bytes: number };
}

/**
 * Records that the message at this position was applied, and what was lost in front of it or refused of it.
 *
 * A gap stays recorded even if the missing message comes late: what was applied behind it was applied without it.
 * Undefined when the session is unknown, as after a restore of the database.
 */
export async function recordProgress(
  client: ClientBase,
  { account, cluster, epoch, sequence, part = { index: 0, count: 1 } }: StreamPosition,
  { refused, now, repair }: Applied,
): Promise<Progress | undefined> {
  const { rows } = await client.query<{ applied: string; gap: string; refused: string }>(RECORD, [
    account,
    cluster,
    epoch,
    sequence,
    refused,
    now,
    part.index,
    part.count - 1 - part.index,
    repair?.runId ?? null,
    repair?.bytes ?? 0,
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

// A part that is lost belongs to the sequence of its siblings: the gap is in front of the next one. $7 is the part's
// index, $8 how many are still to come.
const RECORD = `
WITH seen AS (
  UPDATE cluster SET last_event_at = $6 WHERE account = $1 AND name = $2
),
repaired AS (
  UPDATE reconciliation_run SET repair_bytes = repair_bytes + $10
  WHERE account = $1 AND cluster = $2 AND id = $9::uuid AND ended_at IS NULL
)
UPDATE agent_session SET
  gap_sequence = CASE
    WHEN $4::bigint > applied_sequence AND $7::int > 0 THEN $4 + 1
    WHEN $4 = applied_sequence AND $8::int < missing_parts - 1 THEN $4 + 1
    WHEN $4 > applied_sequence + 1 THEN $4
    WHEN $4 > applied_sequence AND missing_parts > 0 THEN $4
    ELSE gap_sequence
  END,
  missing_parts = CASE
    WHEN $4 > applied_sequence THEN $8
    WHEN $4 = applied_sequence THEN least(missing_parts, $8)
    ELSE missing_parts
  END,
  refused_sequence = CASE WHEN $5 THEN greatest(refused_sequence, $4) ELSE refused_sequence END,
  applied_sequence = greatest(applied_sequence, $4)
WHERE account = $1 AND cluster = $2 AND epoch = $3
RETURNING applied_sequence AS applied, gap_sequence AS gap, refused_sequence AS refused`;
