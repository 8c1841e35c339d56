import type { ClientBase } from "pg";
import type { ResourceType } from "../../../gen/proto/evenkeel/v1/resource_pb.ts";
import type { ClusterKey } from "../postgres/database.ts";
import { type Observation, toAbsent } from "../postgres/observation.ts";
import { applyObservations } from "./apply-observations.ts";
import type { ObservationContext } from "./write-rule.ts";

/** Rows that a statement applies at once. */
const CHUNK = 2_000;

/**
 * Stages deletions that derive from the list of a run. They take effect with the verdict on the comparison. Does
 * nothing if the run has ended, because then there is no verdict.
 *
 * A deletion that earlier runs claimed keeps the time of the first claim, unless the object was seen since.
 */
export async function stageDeletions(
  client: ClientBase,
  { account, cluster, group, resource, incarnation, run }: ObservationContext,
  deletions: readonly Observation[],
): Promise<void> {
  if (run === undefined || deletions.length === 0) {
    return;
  }
  await client.query(STAGE, [
    account,
    cluster,
    group,
    resource,
    run.runId,
    incarnation ?? null,
    deletions.map(({ namespace }) => namespace),
    deletions.map(({ name }) => name),
    deletions.map(({ uid }) => uid),
    deletions.map(({ observedVersion }) => observedVersion),
  ]);
}

const STAGE = `
INSERT INTO staged_deletion AS d
  (account, cluster, api_group, resource, namespace, name, uid, observed_version, incarnation, run_id, claimed_at)
SELECT $1, $2, $3, $4, i.namespace, i.name, i.uid, i.observed, $6::bigint, r.id, r.started_at
FROM unnest($7::text[], $8::text[], $9::text[], $10::numeric[]) AS i(namespace, name, uid, observed)
CROSS JOIN reconciliation_run r
WHERE r.account = $1 AND r.cluster = $2 AND r.id = $5::uuid AND r.ended_at IS NULL
ON CONFLICT (account, cluster, api_group, resource, namespace, name) DO UPDATE SET
  uid = EXCLUDED.uid, observed_version = EXCLUDED.observed_version, incarnation = EXCLUDED.incarnation,
  run_id = EXCLUDED.run_id,
  claimed_at = CASE
    WHEN d.incarnation IS NOT DISTINCT FROM EXCLUDED.incarnation AND NOT EXISTS (
      SELECT FROM kubernetes_object o
      WHERE o.account = $1 AND o.cluster = $2 AND o.api_group = $3 AND o.resource = $4
        AND o.namespace = d.namespace AND o.name = d.name
        AND (o.incarnation, o.observed_version) > (COALESCE(d.incarnation, o.incarnation), d.observed_version))
    THEN d.claimed_at
    ELSE EXCLUDED.claimed_at
  END`;

/** Numbers of staged deletions. */
export interface StagedCounts {
  readonly claimed: number;
  /** Those that a run claimed first at or before `confirmedUntil`. */
  readonly confirmed: number;
  /** Rows that the run created. */
  readonly created: number;
}

/** Counts the staged deletions of a resource type in a run that would delete a row. */
export async function countStaged(
  client: ClientBase,
  { account, cluster }: ClusterKey,
  { group, resource }: ResourceType,
  runId: string,
  confirmedUntil: Date,
): Promise<StagedCounts> {
  const { rows } = await client.query<{ claimed: number; confirmed: number; created: string }>(COUNT, [
    account,
    cluster,
    group,
    resource,
    runId,
    confirmedUntil,
  ]);
  const [row] = rows;
  return {
    claimed: row?.claimed ?? 0,
    confirmed: row?.confirmed ?? 0,
    created: Number(row?.created ?? 0),
  };
}

// LIMIT 1 finds each row by the primary key, without statistics of either table.
const COUNT = `
SELECT count(o.name)::int AS claimed,
       (count(o.name) FILTER (WHERE d.claimed_at <= $6))::int AS confirmed,
       (SELECT created FROM reconciliation_result
        WHERE account = $1 AND cluster = $2 AND run_id = $5 AND api_group = $3 AND resource = $4) AS created
FROM staged_deletion d
JOIN resource_state k ON k.account = d.account AND k.cluster = d.cluster
  AND k.api_group = d.api_group AND k.resource = d.resource
LEFT JOIN LATERAL (
  SELECT o.name FROM kubernetes_object o
  WHERE o.account = d.account AND o.cluster = d.cluster AND o.api_group = d.api_group AND o.resource = d.resource
    AND o.namespace = d.namespace AND o.name = d.name AND o.state <> 'absent'
    AND ((COALESCE(d.incarnation, k.incarnation), d.observed_version) >= (o.incarnation, o.observed_version)
         OR (o.incarnation, o.observed_version) > (k.incarnation, k.high_watermark))
  LIMIT 1
) o ON TRUE
WHERE d.account = $1 AND d.cluster = $2 AND d.api_group = $3 AND d.resource = $4 AND d.run_id = $5`;

/** Selection of staged deletions of one resource type. */
export interface StagedSelection {
  /** Context of the statements; its incarnation and run are those of each deletion. */
  readonly context: Omit<ObservationContext, "incarnation" | "orderedBy">;
  /** Unset: all of them; otherwise those that were first claimed at or before this time. */
  readonly claimedUntil?: Date;
}

/**
 * Applies the selected deletions by the rule that decides every write, each at the version of its list, and removes
 * them. A row that was observed later stays. Returns the number of rows deleted.
 */
export async function applyStaged(
  client: ClientBase,
  { context, claimedUntil }: StagedSelection,
): Promise<number> {
  const { account, cluster, group, resource } = context;
  let applied = 0;
  for (;;) {
    const { rows } = await client.query<StagedRow>(TAKE, [
      account,
      cluster,
      group,
      resource,
      claimedUntil ?? null,
      CHUNK,
    ]);
    if (rows.length === 0) {
      return applied;
    }
    for (const [incarnation, ofIncarnation] of Map.groupBy(rows, (row) => row.incarnation)) {
      const outcome = await applyObservations(
        client,
        {
          ...context,
          incarnation: incarnation === null ? undefined : BigInt(incarnation),
          orderedBy: ofIncarnation[0]?.ordered_by ?? "VERSION",
        },
        ofIncarnation.map(toAbsent),
      );
      applied += outcome.applied;
    }
  }
}

interface StagedRow {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly observedVersion: string;
  readonly incarnation: string | null;
  readonly ordered_by: "VERSION" | "POSITION" | null;
}

const TAKE = `
WITH taken AS (
  SELECT namespace, name FROM staged_deletion
  WHERE account = $1 AND cluster = $2 AND api_group = $3 AND resource = $4
    AND ($5::timestamptz IS NULL OR claimed_at <= $5)
  ORDER BY namespace, name
  LIMIT $6
),
deleted AS (
  DELETE FROM staged_deletion d USING taken t
  WHERE d.account = $1 AND d.cluster = $2 AND d.api_group = $3 AND d.resource = $4
    AND d.namespace = t.namespace AND d.name = t.name
  RETURNING d.namespace, d.name, d.uid, d.observed_version AS "observedVersion", d.incarnation
)
SELECT deleted.*, (SELECT ordered_by FROM resource_state
                   WHERE account = $1 AND cluster = $2 AND api_group = $3 AND resource = $4) AS ordered_by
FROM deleted
ORDER BY namespace, name`;

/** Removes the staged deletions of a resource type that the run did not claim: their objects are in its list. */
export async function dropUnclaimed(
  client: ClientBase,
  { account, cluster }: ClusterKey,
  { group, resource }: ResourceType,
  runId: string,
): Promise<void> {
  await client.query(DROP_UNCLAIMED, [account, cluster, group, resource, runId]);
}

const DROP_UNCLAIMED = `
DELETE FROM staged_deletion
WHERE account = $1 AND cluster = $2 AND api_group = $3 AND resource = $4 AND run_id <> $5`;
