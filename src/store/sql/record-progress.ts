import type { ClientBase } from "pg";
import type { StreamPosition } from "../ingest-store.ts";

/** Progress of a session's stream. */
export interface Progress {
  readonly appliedSequence: bigint;
  /** Sequence before which messages were lost; 0 if none were. */
  readonly gapSequence: bigint;
  /** Sequence of the scope that was applied last; 0 if none was. */
  readonly scopeSequence: bigint;
  /** Topic on which the session's backend reads. */
  readonly replyTopic: string;
}

/** Run that a message repairs, and the bytes of its repairs. */
export interface Repair {
  readonly runId: string;
  readonly bytes: number;
}

/**
 * Records that the message at this position was applied, and a gap before it. Returns undefined if the session is
 * unknown, such as after a restore of the database.
 *
 * A gap stays recorded even if the missing message arrives late, because later messages were applied without it.
 */
export async function recordProgress(
  client: ClientBase,
  { account, cluster, epoch, sequence, part = { index: 0, count: 1 } }: StreamPosition,
  repair?: Repair,
): Promise<Progress | undefined> {
  const { rows } = await client.query<{ applied: string; gap: string; scope: string; reply: string }>(
    RECORD,
    [
      account,
      cluster,
      epoch,
      sequence,
      part.index,
      part.count - 1 - part.index,
      repair?.runId ?? null,
      repair?.bytes ?? 0,
    ],
  );
  const [row] = rows;
  return (
    row && {
      appliedSequence: BigInt(row.applied),
      gapSequence: BigInt(row.gap),
      scopeSequence: BigInt(row.scope),
      replyTopic: row.reply,
    }
  );
}

/** True if the session is the cluster's current one. Scopes, runs and their ends count in no other session. */
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

// A lost part belongs to the sequence of its siblings, so the gap is before the next sequence. $5 is the part's index,
// $6 the number of parts that are still missing.
const RECORD = `
WITH seen AS (
  UPDATE cluster SET last_event_at = now() WHERE account = $1 AND name = $2
),
repaired AS (
  UPDATE reconciliation_run SET repair_bytes = repair_bytes + $8
  WHERE account = $1 AND cluster = $2 AND id = $7::uuid AND ended_at IS NULL
)
UPDATE agent_session SET
  gap_sequence = CASE
    WHEN $4::bigint > applied_sequence AND $5::int > 0 THEN $4 + 1
    WHEN $4 = applied_sequence AND $6::int < missing_parts - 1 THEN $4 + 1
    WHEN $4 > applied_sequence + 1 THEN $4
    WHEN $4 > applied_sequence AND missing_parts > 0 THEN $4
    ELSE gap_sequence
  END,
  missing_parts = CASE
    WHEN $4 > applied_sequence THEN $6
    WHEN $4 = applied_sequence THEN least(missing_parts, $6)
    ELSE missing_parts
  END,
  applied_sequence = greatest(applied_sequence, $4)
WHERE account = $1 AND cluster = $2 AND epoch = $3
RETURNING applied_sequence AS applied, gap_sequence AS gap, scope_sequence AS scope, reply_topic AS reply`;
