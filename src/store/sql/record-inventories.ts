import type { Pool } from "pg";
import type { RunAttempt, SentInventory } from "../ingest-store.ts";

/**
 * Records inventories of an attempt that are read completely. The caller publishes their last chunks afterwards, so
 * that no agent ends a comparison that is not recorded. A later attempt keeps its own record.
 */
export async function recordInventories(
  pool: Pool,
  { position, request, attempt }: RunAttempt,
  inventories: readonly SentInventory[],
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
  ]);
}

const RECORD_INVENTORIES = `
UPDATE reconciliation_result r SET
  attempt = $4, sent = i.objects, sent_incarnation = i.incarnation, sent_watermark = i.high_watermark
FROM unnest($5::text[], $6::text[], $7::bigint[], $8::bigint[], $9::numeric[])
  AS i(api_group, resource, objects, incarnation, high_watermark)
WHERE r.account = $1 AND r.cluster = $2 AND r.run_id = $3 AND r.api_group = i.api_group AND r.resource = i.resource
  AND r.ended_at IS NULL AND r.attempt <= $4`;
