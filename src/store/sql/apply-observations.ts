import type { ClientBase } from "pg";
import type { Observation } from "../postgres/observation.ts";
import { toByteaArray, toTextArray } from "./binary-array.ts";

/** Values that all observations of a statement share. */
export interface ObservationContext {
  readonly account: string;
  readonly cluster: string;
  readonly group: string;
  readonly resource: string;
  readonly version: string;
  readonly epoch: bigint;
  readonly incarnation: bigint | undefined;
  readonly sequence: bigint;
  readonly orderedBy: "VERSION" | "POSITION";
  /** Run and attempt of the repair. Changed rows become its findings if the resource type was verified before. */
  readonly run: { readonly runId: string; readonly attempt: number } | undefined;
}

/** Result of a statement. */
export interface ObservationsOutcome {
  /** Rows written. */
  readonly applied: number;
  /** Observations of a resource type or namespace that the scope excludes. */
  readonly outOfScope: number;
}

/**
 * The rule that decides every write, for the observations of one resource type, in one statement.
 *
 * An observation applies if `(incarnation, O) >= (row or tombstone, else low watermark)`:
 * - `>=`, because at equal O there is one truth; it repairs an edited row of an idle cluster.
 * - A row above the highest version at which the resource type was ever observed (`state.high`, as it was before this
 *   statement) is corrupt and counts as 0; so does a low watermark above it.
 * - A newer incarnation starts with both watermarks at 0. An unset incarnation means the stored one, unless a younger
 *   session detected that: then the observation is from before the versions went back.
 *
 * A change number is assigned only if a reader sees a change. The cluster's lock gives the numbers the order of
 * commits. They are at least the time in microseconds, so they do not go back after a restore of the database. A
 * tombstone keeps the last content for readers that follow changes.
 *
 * Repairs of a resource type that was never verified are its first copy, not findings. Content in another format
 * differs for no other reason, so it is no finding either. Nor has an unknown run findings: no request would return
 * them, and no purge would delete them.
 *
 * Observations of a session before the cluster's first epoch belong to another cluster of this name, and do not apply.
 *
 * The caller holds the cluster's lock, so the statement writes what its common table expressions read.
 *
 * LIMIT 1 makes Postgres find each row by the primary key. The plan of a simple join depends on statistics: before the
 * first ANALYZE, each batch reads all rows of the resource type, so the first copy of a cluster takes quadratic time.
 */
export async function applyObservations(
  client: ClientBase,
  context: ObservationContext,
  observations: readonly Observation[],
): Promise<ObservationsOutcome> {
  const { rows } = await client.query<{ applied: number; out_of_scope: number }>(APPLY, [
    context.account,
    context.cluster,
    context.group,
    context.resource,
    context.version,
    context.incarnation ?? null,
    context.epoch,
    context.run?.runId ?? null,
    toTextArray(observations.map((observation) => observation.namespace)),
    toTextArray(observations.map((observation) => observation.name)),
    toTextArray(observations.map((observation) => observation.state)),
    toTextArray(observations.map((observation) => observation.uid)),
    toTextArray(observations.map((observation) => observation.resourceVersion)),
    toTextArray(observations.map((observation) => observation.observedVersion)),
    toTextArray(observations.map((observation) => observation.content)),
    toByteaArray(observations.map((observation) => observation.checksum)),
    toTextArray(observations.map((observation) => observation.contentFormat)),
    toTextArray(observations.map((observation) => observation.quarantineReason)),
    context.sequence,
    context.run?.attempt ?? 0,
    context.orderedBy,
  ]);
  const [row] = rows;
  return { applied: row?.applied ?? 0, outOfScope: row?.out_of_scope ?? observations.length };
}

/** True if readers see a difference between the row (o) and its new state. */
const IS_CHANGED = `
  (o.state, o.uid, o.resource_version, o.checksum, o.content_format, o.quarantine_reason) IS DISTINCT FROM
  (EXCLUDED.state, EXCLUDED.uid, EXCLUDED.resource_version, EXCLUDED.checksum, EXCLUDED.content_format,
   EXCLUDED.quarantine_reason)`;

const APPLY = `
WITH stored AS (
  SELECT CASE WHEN k.incarnation > c.epoch THEN 0 ELSE k.incarnation END AS incarnation,
         k.high_watermark, k.low_watermark, k.namespaces, k.verified_at
  FROM resource_state k
  JOIN cluster c ON c.account = k.account AND c.name = k.cluster
  WHERE k.account = $1 AND k.cluster = $2 AND k.api_group = $3 AND k.resource = $4
    AND $7::bigint >= c.first_epoch
),
state AS (
  SELECT incarnation, high_watermark AS high, namespaces, verified_at,
         CASE WHEN low_watermark > high_watermark THEN 0 ELSE low_watermark END AS low,
         CASE WHEN $6::bigint IS NOT NULL THEN $6::bigint
              WHEN $7::bigint >= incarnation THEN incarnation ELSE 0 END AS inc
  FROM stored
),
counter AS (
  SELECT greatest((SELECT change_seq FROM cluster WHERE account = $1 AND name = $2),
                  (extract(epoch FROM now()) * 1000000)::bigint) AS base
),
item AS (
  SELECT i.namespace, i.name, i.state, i.uid, i.resource_version, i.observed::numeric AS observed_version,
         i.content, i.checksum, i.content_format, i.reason, i.place
  FROM unnest($9::text[], $10::text[], $11::text[], $12::text[], $13::text[], $14::text[], $15::text[],
              $16::bytea[], $17::text[], $18::text[]) WITH ORDINALITY
    AS i(namespace, name, state, uid, resource_version, observed, content, checksum, content_format, reason, place)
),
candidate AS (
  SELECT item.*, state.inc, state.verified_at, counter.base + item.place AS seq,
         o.state AS old_state, o.uid AS old_uid, o.resource_version AS old_resource_version,
         o.checksum AS old_checksum, o.content_format AS old_content_format,
         (o.incarnation, o.observed_version) > (state.incarnation, state.high) AS corrupt
  FROM item
  CROSS JOIN state
  CROSS JOIN counter
  LEFT JOIN LATERAL (
    SELECT * FROM kubernetes_object
    WHERE account = $1 AND cluster = $2 AND api_group = $3 AND resource = $4
      AND namespace = item.namespace AND name = item.name
    LIMIT 1
  ) o ON TRUE
  WHERE (cardinality(state.namespaces) = 0 OR item.namespace = ANY (state.namespaces))
    AND (o.name IS NOT NULL
         OR (state.inc, item.observed_version) >=
            (state.incarnation, CASE WHEN state.inc > state.incarnation THEN 0 ELSE state.low END))
),
written AS (
  INSERT INTO kubernetes_object AS o
    (account, cluster, api_group, resource, namespace, name, api_version, state, uid, resource_version,
     observed_version, incarnation, content, checksum, content_format, quarantine_reason,
     change_seq, created_seq, selector_seq, changed_at, updated_at)
  SELECT $1, $2, $3, $4, namespace, name, $5, state, uid, resource_version,
         observed_version, inc, content::jsonb, checksum, content_format, reason,
         seq, seq, seq, now(), now()
  FROM candidate
  ORDER BY namespace COLLATE "C", name COLLATE "C"
  ON CONFLICT (account, cluster, api_group, resource, namespace, name) DO UPDATE SET
    api_version = EXCLUDED.api_version, state = EXCLUDED.state, uid = EXCLUDED.uid,
    resource_version = EXCLUDED.resource_version, observed_version = EXCLUDED.observed_version,
    incarnation = EXCLUDED.incarnation,
    content = CASE WHEN EXCLUDED.state = 'absent' THEN o.content ELSE EXCLUDED.content END,
    checksum = EXCLUDED.checksum, content_format = EXCLUDED.content_format,
    quarantine_reason = EXCLUDED.quarantine_reason, updated_at = EXCLUDED.updated_at,
    change_seq = CASE WHEN ${IS_CHANGED} THEN EXCLUDED.change_seq ELSE o.change_seq END,
    changed_at = CASE WHEN ${IS_CHANGED} THEN EXCLUDED.changed_at ELSE o.changed_at END,
    created_seq = CASE
      WHEN EXCLUDED.state = 'absent' OR (o.state <> 'absent' AND o.uid = EXCLUDED.uid) THEN o.created_seq
      ELSE EXCLUDED.created_seq
    END,
    selector_seq = CASE
      WHEN EXCLUDED.state <> 'absent' AND EXCLUDED.labels IS DISTINCT FROM o.labels THEN EXCLUDED.selector_seq
      ELSE o.selector_seq
    END
  WHERE (EXCLUDED.incarnation, EXCLUDED.observed_version) >= (o.incarnation, o.observed_version)
     OR (o.incarnation, o.observed_version) > (SELECT incarnation, high FROM state)
  RETURNING namespace, name
),
counted AS (
  UPDATE cluster SET change_seq = counter.base + (SELECT count(*) FROM item)
  FROM counter
  WHERE account = $1 AND name = $2
),
new_watermark AS (
  UPDATE resource_state k SET
    incarnation = seen.inc,
    high_watermark = seen.high,
    low_watermark = CASE WHEN seen.inc > seen.old_inc THEN 0 ELSE k.low_watermark END,
    ordered_by = COALESCE(k.ordered_by, $21)
  FROM (
    SELECT state.inc, state.incarnation AS old_inc, max(item.observed_version) AS high
    FROM item CROSS JOIN state
    GROUP BY state.inc, state.incarnation
  ) seen
  WHERE k.account = $1 AND k.cluster = $2 AND k.api_group = $3 AND k.resource = $4
    AND (seen.inc, seen.high) > (seen.old_inc, k.high_watermark)
),
first_repair AS (
  UPDATE reconciliation_result SET
    first_sequence = CASE WHEN first_attempt = $20 THEN least(first_sequence, $19) ELSE $19 END,
    first_attempt = $20,
    created = created + (
      SELECT count(*) FROM candidate JOIN written USING (namespace, name)
      WHERE state <> 'absent' AND COALESCE(old_state, 'absent') = 'absent')
  WHERE account = $1 AND cluster = $2 AND run_id = $8::uuid AND api_group = $3 AND resource = $4
    AND ended_at IS NULL AND first_attempt <= $20
),
new_finding AS (
  INSERT INTO reconciliation_finding
    (account, cluster, run_id, api_group, resource, namespace, name, api_version, type, cause, detail, found_at)
  SELECT $1, $2, $8::uuid, $3, $4, namespace, name, $5,
         CASE
           WHEN state = 'absent' THEN 'GHOST_ROW'
           WHEN COALESCE(old_state, 'absent') = 'absent' THEN 'MISSING_ROW'
           ELSE 'STALE_ROW'
         END,
         CASE
           WHEN COALESCE(old_state, 'absent') = 'absent' THEN NULL
           WHEN corrupt OR (old_checksum IS NULL AND old_state = 'present') THEN 'MANUAL_EDIT'
           WHEN state = 'absent' OR old_uid <> uid OR old_resource_version <> resource_version THEN 'MISSED_CHANGE'
         END,
         CASE
           WHEN state = 'absent' THEN 'the row''s object is not in the cluster'
           WHEN COALESCE(old_state, 'absent') = 'absent' THEN 'the object had no row'
           WHEN corrupt THEN 'observed version above all at which the resource type was ever observed'
           WHEN old_checksum IS NULL AND old_state = 'present' THEN 'written by something other than the ingester'
           WHEN old_uid <> uid THEN 'another object of the same name'
           WHEN old_resource_version <> resource_version
             THEN 'resource version ' || old_resource_version || ' instead of ' || resource_version
           WHEN old_checksum <> checksum THEN 'content differs at the same resource version'
           ELSE 'could not be stored before'
         END,
         now()
  FROM candidate JOIN written USING (namespace, name)
  WHERE EXISTS (SELECT FROM reconciliation_run WHERE account = $1 AND cluster = $2 AND id = $8::uuid)
    AND verified_at <= now()
    AND (CASE WHEN state = 'absent' THEN COALESCE(old_state, 'absent') <> 'absent'
              ELSE corrupt IS TRUE
                OR (old_state, old_uid, old_resource_version) IS DISTINCT FROM (state, uid, resource_version)
                OR (old_state = 'present' AND old_checksum IS NULL)
                OR (old_content_format = content_format AND old_checksum IS DISTINCT FROM checksum) END)
  ON CONFLICT DO NOTHING
)
SELECT (SELECT count(*) FROM written)::int AS applied,
       (SELECT count(*) FROM item, state
        WHERE cardinality(state.namespaces) > 0 AND NOT item.namespace = ANY (state.namespaces))::int AS out_of_scope
FROM state`;
