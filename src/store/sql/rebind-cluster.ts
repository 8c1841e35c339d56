import type { ClientBase } from "pg";
import type { ClusterKey } from "../postgres/database.ts";

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
}

const BIND = "UPDATE cluster SET uid = $3, first_epoch = epoch WHERE account = $1 AND name = $2";

const RESET_STATES = `
UPDATE resource_state k SET
  incarnation = c.epoch, low_watermark = 0, high_watermark = 0,
  verified_at = NULL, failure_reason = NULL, failure_message = NULL
FROM cluster c
WHERE c.account = $1 AND c.name = $2 AND k.account = $1 AND k.cluster = $2`;
