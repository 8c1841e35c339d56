import type { ClientBase, Pool } from "pg";
import type { ResourceType } from "../../../gen/proto/evenkeel/v1/resource_pb.ts";
import type { RunAttempt, SentInventory, StreamPosition } from "../ingest-store.ts";

/**
 * Records inventories of an attempt that are read completely, and adds to the bytes of inventory of the run. The caller
 * publishes their last chunks afterwards, so that no agent ends a comparison that is not recorded. A later attempt
 * keeps its own record.
 */
export async function recordInventories(
  pool: Pool,
  { position, request, attempt }: RunAttempt,
  inventories: readonly SentInventory[],
  bytes: number,
): Promise<void> {
  await pool.query(RECORD_INVENTORIES, [
    position.account,
    position.cluster,
    request.runId,
    attempt,
    inventories.map(({ resourceType }) => resourceType.group),
    inventories.map(({ resourceType }) => resourceType.resource),
    inventories.map(({ objects }) => objects),
    inventories.map(({ incarnation }) => incarnation),
    inventories.map(({ highWatermark }) => highWatermark),
    bytes,
  ]);
}

const RECORD_INVENTORIES = `
WITH counted AS (
  UPDATE reconciliation_run SET inventory_bytes = inventory_bytes + $10
  WHERE account = $1 AND cluster = $2 AND id = $3
)
UPDATE reconciliation_result r SET
  attempt = $4, sent = i.objects, sent_incarnation = i.incarnation, sent_watermark = i.high_watermark
FROM unnest($5::text[], $6::text[], $7::bigint[], $8::bigint[], $9::numeric[])
  AS i(api_group, resource, objects, incarnation, high_watermark)
WHERE r.account = $1 AND r.cluster = $2 AND r.run_id = $3 AND r.api_group = i.api_group AND r.resource = i.resource
  AND r.ended_at IS NULL AND r.attempt <= $4`;

/**
 * Records that an item of the resource type was refused at this position. It fails the comparison that the position
 * belongs to, and no comparison of another resource type. An item that arrived quarantined is not refused: its row
 * states what the copy lacks.
 */
export async function recordRefusal(
  client: ClientBase,
  { account, cluster, epoch, sequence }: StreamPosition,
  { group, resource }: ResourceType,
): Promise<void> {
  await client.query(RECORD_REFUSAL, [account, cluster, group, resource, epoch, sequence]);
}

const RECORD_REFUSAL = `
UPDATE resource_state SET
  refused_sequence = CASE WHEN refused_epoch = $5 THEN greatest(refused_sequence, $6) ELSE $6 END,
  refused_epoch = $5
WHERE account = $1 AND cluster = $2 AND api_group = $3 AND resource = $4 AND refused_epoch <= $5`;
