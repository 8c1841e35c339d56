import type { ClientBase } from "pg";
import type { ClusterKey } from "../postgres/database.ts";

/** Finds the binding of a name, also of a removed one. */
export async function findCluster(
  client: ClientBase,
  { account, cluster }: ClusterKey,
): Promise<{ readonly uid: string; readonly isRemoved: boolean } | undefined> {
  const { rows } = await client.query<{ uid: string; is_removed: boolean }>(
    "SELECT uid, removed_at IS NOT NULL AS is_removed FROM cluster WHERE account = $1 AND name = $2",
    [account, cluster],
  );
  const [row] = rows;
  return row && { uid: row.uid, isRemoved: row.is_removed };
}

/** A cluster as it is claimed: a name and the uid of its kube-system namespace. */
export interface ClusterClaim {
  readonly account: string;
  readonly cluster: string;
  readonly clusterUid: string;
}

/**
 * Returns the name under which the account already has this uid; undefined if it has none, or if this name was there
 * first. Until the end of the transaction no other transaction can claim the uid.
 *
 * The caller holds the lock of the cluster. The lock of the uid comes after it and before no other, so no deadlock is
 * possible.
 */
export async function findDuplicate(
  client: ClientBase,
  { account, cluster, clusterUid }: ClusterClaim,
): Promise<string | undefined> {
  await client.query(LOCK_UID, [JSON.stringify(["evenkeel uid", account, clusterUid])]);
  const { rows } = await client.query<{ name: string }>(FIND_DUPLICATE, [account, cluster, clusterUid]);
  return rows[0]?.name;
}

const LOCK_UID = "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))";

const FIND_DUPLICATE = `
SELECT other.name
FROM cluster other
LEFT JOIN cluster own ON own.account = $1 AND own.name = $2 AND own.uid = $3
WHERE other.account = $1 AND other.uid = $3 AND other.name <> $2 AND other.removed_at IS NULL
  AND (own.name IS NULL OR (other.created_at, other.name) < (own.created_at, own.name))
ORDER BY other.created_at, other.name
LIMIT 1`;
