import type { ClientBase } from "pg";
import type { ClusterKey } from "../postgres/database.ts";

/** Newest tombstones of a resource type that stay. */
const MAX_TOMBSTONES = 1_000;

/** Age below which a tombstone stays, in milliseconds. A change of that age is hardly still on its way. */
const MIN_AGE_MS = 3_600_000;

/**
 * Purges old tombstones of the cluster's resource types: those older than an hour that are not among the newest 1,000
 * of their type. A verified comparison purges all at or below its list; a resource type that never verifies would keep
 * each of them for good.
 *
 * The version of the newest purged tombstone replaces them: an observation below it has no effect without a row. If
 * that is wrong, because an older Put of another object arrives this late, the next run finds the object at a higher
 * version. The caller holds the cluster's lock, so no Put is between its check and its write (R39).
 */
export async function purgeTombstones(client: ClientBase, { account, cluster }: ClusterKey): Promise<void> {
  await client.query(PURGE, [account, cluster, MAX_TOMBSTONES, MIN_AGE_MS]);
}

// The first part reads the index of tombstones only, and usually finds nothing. Tombstones above the high watermark are
// corrupt and set no version; the next verified comparison purges them.
const PURGE = `
WITH crowded AS (
  SELECT api_group, resource FROM kubernetes_object
  WHERE account = $1 AND cluster = $2 AND state = 'absent'
  GROUP BY api_group, resource
  HAVING count(*) > $3
),
tombstone AS (
  SELECT api_group, resource, o.incarnation, o.observed_version,
         count(*) OVER newest_first AS place,
         bool_or(o.updated_at > now() - $4 * interval '1 ms') OVER oldest_first AS includes_young
  FROM crowded
  JOIN resource_state k USING (api_group, resource)
  JOIN kubernetes_object o USING (api_group, resource)
  WHERE k.account = $1 AND k.cluster = $2 AND o.account = $1 AND o.cluster = $2 AND o.state = 'absent'
    AND (o.incarnation, o.observed_version) <= (k.incarnation, k.high_watermark)
  WINDOW newest_first AS (
           PARTITION BY api_group, resource ORDER BY o.incarnation DESC, o.observed_version DESC),
         oldest_first AS (
           PARTITION BY api_group, resource ORDER BY o.incarnation, o.observed_version)
),
newest AS (
  SELECT DISTINCT ON (api_group, resource) api_group, resource, incarnation, observed_version
  FROM tombstone
  WHERE place > $3 AND NOT includes_young
  ORDER BY api_group, resource, incarnation DESC, observed_version DESC
),
purged AS (
  DELETE FROM kubernetes_object o USING newest
  WHERE o.account = $1 AND o.cluster = $2 AND o.api_group = newest.api_group AND o.resource = newest.resource
    AND o.state = 'absent'
    AND (o.incarnation, o.observed_version) <= (newest.incarnation, newest.observed_version)
  RETURNING o.api_group, o.resource
),
counted AS (
  SELECT api_group, resource, count(*) AS rows FROM purged GROUP BY api_group, resource
)
UPDATE resource_state k SET
  absent_rows = k.absent_rows - counted.rows,
  purged_version = CASE WHEN k.incarnation = newest.incarnation
    THEN greatest(k.purged_version, newest.observed_version) ELSE k.purged_version END
FROM newest JOIN counted USING (api_group, resource)
WHERE k.account = $1 AND k.cluster = $2 AND k.api_group = newest.api_group AND k.resource = newest.resource`;
