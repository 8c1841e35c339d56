import type { Pool } from "pg";
import type { ResourceType } from "../../../gen/proto/evenkeel/v1/resource_pb.ts";
import type { ClusterKey } from "../postgres/database.ts";

/** Stored state of one object. */
export interface InventoryRow {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly resource_version: string;
  /** Null if the row cannot be trusted. */
  readonly checksum: Buffer | null;
  readonly content_format: string;
  /** True if the initiator manages the object. */
  readonly managed: boolean;
}

/** A chunk of an inventory, in key order. */
export interface InventoryPage {
  readonly incarnation: bigint;
  readonly highWatermark: string;
  readonly rows: readonly InventoryRow[];
}

/**
 * Reads the rows behind the key `after`. `IS NOT DISTINCT FROM`, because an unmanaged row has NULL in `managed_by` and
 * `=` would drop it.
 *
 * Some rows cannot be trusted even if their checksums are right. A row above the resource type's high watermark was
 * edited. A row of an older incarnation has a version of another history: the same version may now be another content.
 * The order by position has no incarnations. Until the order is known, no version can be compared.
 */
export async function selectInventory(
  pool: Pool,
  { account, cluster }: ClusterKey,
  { group, resource }: ResourceType,
  initiator: string,
  after: { readonly namespace: string; readonly name: string },
  limit: number,
): Promise<InventoryPage> {
  const [states, objects] = await Promise.all([
    pool.query<{ incarnation: string; high_watermark: string }>(SELECT_STATE, [
      account,
      cluster,
      group,
      resource,
    ]),
    pool.query<InventoryRow>(SELECT_ROWS, [
      account,
      cluster,
      group,
      resource,
      initiator,
      after.namespace,
      after.name,
      limit,
    ]),
  ]);
  const [state] = states.rows;
  return {
    incarnation: BigInt(state?.incarnation ?? 0),
    highWatermark: state?.high_watermark ?? "0",
    rows: objects.rows,
  };
}

const SELECT_STATE = `
SELECT CASE WHEN k.incarnation > c.epoch THEN 0 ELSE k.incarnation END AS incarnation, k.high_watermark
FROM resource_state k
JOIN cluster c ON c.account = k.account AND c.name = k.cluster
WHERE k.account = $1 AND k.cluster = $2 AND k.api_group = $3 AND k.resource = $4`;

const SELECT_ROWS = `
SELECT o.namespace, o.name, o.uid, o.resource_version, o.content_format,
       CASE WHEN (o.incarnation, o.observed_version) <= (k.incarnation, k.high_watermark)
              AND (k.ordered_by = 'POSITION' OR (k.ordered_by = 'VERSION' AND o.incarnation = k.incarnation))
            THEN o.checksum END AS checksum,
       o.managed_by IS NOT DISTINCT FROM $5 AS managed
FROM kubernetes_object o
JOIN resource_state k ON k.account = o.account AND k.cluster = o.cluster
  AND k.api_group = o.api_group AND k.resource = o.resource
WHERE o.account = $1 AND o.cluster = $2 AND o.api_group = $3 AND o.resource = $4
  AND (o.namespace, o.name) > ($6, $7) AND o.state <> 'absent'
ORDER BY o.namespace, o.name
LIMIT $8`;
