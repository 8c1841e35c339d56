import type { ClientBase } from "pg";
import type { ResourceType } from "../../../gen/proto/evenkeel/v1/resource_pb.ts";
import type { StreamPosition } from "../ingest-store.ts";

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
