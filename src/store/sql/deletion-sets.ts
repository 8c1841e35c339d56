import type { ClientBase, Pool } from "pg";
import type { ResourceType } from "../../../gen/proto/evenkeel/v1/resource_pb.ts";
import type { ClusterKey } from "../postgres/database.ts";

/** Origin of the deletions of a set: lists of runs, or the agent's configuration. */
export type DeletionOrigin = "RUN" | "SCOPE";

/** Withheld deletions of one resource type. */
export interface WithheldDeletions {
  readonly resourceType: ResourceType;
  readonly rows: number;
  readonly deletions: number;
  readonly detail: string;
}

/** The part of an open set for one resource type. */
export interface OpenDeletions {
  readonly setId: string;
  readonly deletions: number;
  /** True if a caller has rejected them, also if the set has grown since. */
  readonly needsApproval: boolean;
}

/** Finds the part of the open set of an origin for a resource type. */
export async function findOpenDeletions(
  client: ClientBase,
  { account, cluster }: ClusterKey,
  origin: DeletionOrigin,
  { group, resource }: Pick<ResourceType, "group" | "resource">,
): Promise<OpenDeletions | undefined> {
  const { rows } = await client.query<{ id: string; deletions: string; needs_approval: boolean }>(FIND_OPEN, [
    account,
    cluster,
    origin,
    group,
    resource,
  ]);
  const [row] = rows;
  return row && { setId: row.id, deletions: Number(row.deletions), needsApproval: row.needs_approval };
}

const FIND_OPEN = `
SELECT s.id, r.deletions, r.needs_approval
FROM deletion_set s
JOIN deletion_set_resource r ON r.account = s.account AND r.cluster = s.cluster AND r.set_id = s.id
WHERE s.account = $1 AND s.cluster = $2 AND s.origin = $3 AND s.state IN ('WITHHELD', 'REJECTED')
  AND r.api_group = $4 AND r.resource = $5`;

/** Returns the number of withheld deletions of each of these clusters that has some. */
export async function selectWithheld(
  pool: Pool,
  account: string,
  clusters: readonly string[],
): Promise<Map<string, bigint>> {
  const { rows } = await pool.query<{ cluster: string; deletions: string }>(SELECT_WITHHELD, [
    account,
    clusters,
  ]);
  return new Map(rows.map(({ cluster, deletions }) => [cluster, BigInt(deletions)]));
}

const SELECT_WITHHELD = `
SELECT s.cluster, sum(r.deletions) AS deletions
FROM deletion_set s
JOIN deletion_set_resource r ON r.account = s.account AND r.cluster = s.cluster AND r.set_id = s.id
WHERE s.account = $1 AND s.cluster = ANY ($2::text[]) AND s.state IN ('WITHHELD', 'REJECTED')
GROUP BY s.cluster`;

/** Names an open set, or a new one. */
export interface SetClaim {
  readonly origin: DeletionOrigin;
  /** ID of the set if it is new. */
  readonly newId: string;
  /** The run that claims the deletions; unset for SCOPE. */
  readonly run?: { readonly id: string; readonly requestedAt: Date };
}

/**
 * Puts withheld deletions into the open set of their origin, or into a new one, and returns its ID. A set that was
 * rejected waits for a decision again if it grows.
 */
export async function withholdDeletions(
  client: ClientBase,
  { account, cluster }: ClusterKey,
  { origin, newId, run }: SetClaim,
  withheld: readonly WithheldDeletions[],
): Promise<string> {
  const entries = [
    account,
    cluster,
    origin,
    withheld.map(({ resourceType }) => resourceType.group),
    withheld.map(({ resourceType }) => resourceType.resource),
    withheld.map(({ deletions }) => deletions),
  ];
  await client.query(REOPEN_GROWN, entries);
  const { rows } = await client.query<{ id: string }>(PUT, [
    ...entries,
    withheld.map(({ resourceType }) => resourceType.version),
    withheld.map(({ rows }) => rows),
    withheld.map(({ detail }) => detail),
    newId,
    run?.id ?? null,
    run?.requestedAt ?? null,
  ]);
  return rows[0]?.id ?? newId;
}

const REOPEN_GROWN = `
UPDATE deletion_set s SET state = 'WITHHELD', decided_at = NULL, decided_by = ''
WHERE s.account = $1 AND s.cluster = $2 AND s.origin = $3 AND s.state = 'REJECTED'
  AND EXISTS (
    SELECT FROM unnest($4::text[], $5::text[], $6::bigint[]) AS e(api_group, resource, deletions)
    LEFT JOIN deletion_set_resource r ON r.account = s.account AND r.cluster = s.cluster AND r.set_id = s.id
      AND r.api_group = e.api_group AND r.resource = e.resource
    WHERE e.deletions > COALESCE(r.deletions, 0))`;

const PUT = `
WITH open AS (
  INSERT INTO deletion_set AS s (account, cluster, id, origin, state, run_id, claimed_at)
  VALUES ($1, $2, $10::uuid, $3, 'WITHHELD', $11::uuid, $12::timestamptz)
  ON CONFLICT (account, cluster, origin) WHERE state IN ('WITHHELD', 'REJECTED')
    DO UPDATE SET run_id = EXCLUDED.run_id, claimed_at = EXCLUDED.claimed_at
  RETURNING id
)
INSERT INTO deletion_set_resource AS r
  (account, cluster, set_id, api_group, resource, api_version, rows, deletions, detail)
SELECT $1, $2, open.id, e.api_group, e.resource, e.api_version, e.rows, e.deletions, e.detail
FROM open, unnest($4::text[], $5::text[], $6::bigint[], $7::text[], $8::bigint[], $9::text[])
  AS e(api_group, resource, deletions, api_version, rows, detail)
ON CONFLICT (account, cluster, set_id, api_group, resource) DO UPDATE SET
  api_version = EXCLUDED.api_version, rows = EXCLUDED.rows, deletions = EXCLUDED.deletions, detail = EXCLUDED.detail
RETURNING set_id AS id`;

/**
 * Removes resource types from the open set of an origin, because none of their deletions is withheld any more. The last
 * one stays in the set, which ends.
 */
export async function releaseDeletions(
  client: ClientBase,
  { account, cluster }: ClusterKey,
  origin: DeletionOrigin,
  resourceTypes: readonly ResourceType[],
  endsAs: "APPLIED" | "SUPERSEDED",
): Promise<void> {
  if (resourceTypes.length === 0) {
    return;
  }
  const keys = [
    account,
    cluster,
    origin,
    resourceTypes.map(({ group }) => group),
    resourceTypes.map(({ resource }) => resource),
  ];
  const { rowCount } = await client.query(END_SET, [...keys, endsAs]);
  if (rowCount === 0) {
    await client.query(RELEASE, keys);
  }
}

const OPEN_SET = `
SELECT id FROM deletion_set
WHERE account = $1 AND cluster = $2 AND origin = $3 AND state IN ('WITHHELD', 'REJECTED')`;

const END_SET = `
UPDATE deletion_set s SET state = $6, decided_at = now(), decided_by = ''
WHERE s.account = $1 AND s.cluster = $2 AND s.id = (${OPEN_SET})
  AND NOT EXISTS (
    SELECT FROM deletion_set_resource r
    WHERE r.account = $1 AND r.cluster = $2 AND r.set_id = s.id
      AND NOT EXISTS (
        SELECT FROM unnest($4::text[], $5::text[]) AS e(api_group, resource)
        WHERE e.api_group = r.api_group AND e.resource = r.resource))`;

const RELEASE = `
DELETE FROM deletion_set_resource r USING unnest($4::text[], $5::text[]) AS e(api_group, resource)
WHERE r.account = $1 AND r.cluster = $2 AND r.set_id = (${OPEN_SET})
  AND r.api_group = e.api_group AND r.resource = e.resource`;

/** Ends the open sets of a cluster, and forgets the staged deletions, because its name is another cluster's now. */
export async function supersedeDeletions(
  client: ClientBase,
  { account, cluster }: ClusterKey,
): Promise<void> {
  await client.query("DELETE FROM staged_deletion WHERE account = $1 AND cluster = $2", [account, cluster]);
  await client.query(SUPERSEDE, [account, cluster]);
}

const SUPERSEDE = `
UPDATE deletion_set SET state = 'SUPERSEDED', decided_at = now()
WHERE account = $1 AND cluster = $2 AND state IN ('WITHHELD', 'REJECTED')`;

/** Deletes some sets that ended more than `retentionMs` ago, and returns their number. */
export async function purgeDeletionSets(
  client: ClientBase,
  retentionMs: number,
  limit: number,
): Promise<number> {
  const { rows } = await client.query<{ count: string }>(PURGE_DELETION_SETS, [retentionMs, limit]);
  return Number(rows[0]?.count ?? 0);
}

const PURGE_DELETION_SETS = `
WITH old AS (
  DELETE FROM deletion_set WHERE (account, cluster, id) IN (
    SELECT account, cluster, id FROM deletion_set
    WHERE state IN ('APPLIED', 'SUPERSEDED') AND decided_at < now() - $1 * interval '1 ms'
    ORDER BY decided_at LIMIT $2 FOR UPDATE SKIP LOCKED
  )
  RETURNING account, cluster, id
),
resources AS (
  DELETE FROM deletion_set_resource r USING old
  WHERE r.account = old.account AND r.cluster = old.cluster AND r.set_id = old.id
)
SELECT count(*) AS count FROM old`;
