import type { RunRef } from "../../../gen/proto/evenkeel/v1/batch_pb.ts";
import type { Observation } from "../postgres/observation.ts";
import { toByteaArray, toTextArray } from "./binary-array.ts";

/** Run and attempt that a batch repairs. */
export type RunAttemptRef = Pick<RunRef, "runId" | "attempt">;

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
  readonly run: RunAttemptRef | undefined;
}

/** Values of a statement that belongs to a run. */
export interface RunContext extends ObservationContext {
  readonly run: RunAttemptRef;
}

/** Table of findings: of repairs, and of what a dry run would repair. */
export type FindingTable = "reconciliation_finding" | "dry_run_finding";

/** Row of {@link OUTCOME}. */
export interface OutcomeRow {
  readonly applied: number;
  readonly out_of_scope: number;
}

/** Row of {@link RUN_OUTCOME}. */
export interface RunOutcomeRow extends OutcomeRow {
  /** Key of a new finding and the content that its row had; null in a row without one. */
  readonly namespace: string | null;
  readonly name: string | null;
  readonly content: string | null;
}

/** Returns the parameters $1 to $18 of the texts below. */
export function toRuleParameters(context: ObservationContext, observations: readonly Observation[]) {
  return [
    context.account,
    context.cluster,
    context.group,
    context.resource,
    context.version,
    context.incarnation ?? null,
    context.epoch,
    context.orderedBy,
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
  ];
}

/** Returns the parameters of a run, $19 to $21, which {@link REPAIRED_RESULT} and {@link newFindings} need too. */
export const toRunParameters = ({ runId, attempt }: RunAttemptRef, sequence: bigint) => [
  runId,
  sequence,
  attempt,
];

/** Condition of the row of the key `of`. */
const rowOf = (of: string): string => `account = $1 AND cluster = $2 AND api_group = $3 AND resource = $4
      AND namespace = ${of}.namespace AND name = ${of}.name`;

/**
 * Observations with the rows of their keys. Those outside the scope are left out, and those without a row below the low
 * watermark or the version of a purged tombstone.
 *
 * LIMIT 1 makes Postgres find each row by the primary key. The plan of a simple join depends on statistics: before the
 * first ANALYZE, each batch reads all rows of the resource type, so the first copy of a cluster takes quadratic time.
 */
export const CANDIDATES = `
stored AS (
  SELECT CASE WHEN k.incarnation > c.epoch THEN 0 ELSE k.incarnation END AS incarnation,
         k.high_watermark, k.low_watermark, k.purged_version, k.namespaces, k.verified_at,
         COALESCE(k.ordered_by, $8) AS ordered_by
  FROM resource_state k
  JOIN cluster c ON c.account = k.account AND c.name = k.cluster
  WHERE k.account = $1 AND k.cluster = $2 AND k.api_group = $3 AND k.resource = $4
    AND $7::bigint >= c.first_epoch
),
state AS (
  SELECT incarnation, high_watermark AS high, namespaces, verified_at, ordered_by,
         CASE WHEN low_watermark > high_watermark THEN 0 ELSE low_watermark END AS low,
         CASE WHEN purged_version > high_watermark THEN 0 ELSE purged_version END AS purged,
         CASE WHEN $6::bigint IS NOT NULL THEN $6::bigint
              WHEN $7::bigint >= incarnation THEN incarnation ELSE 0 END AS inc
  FROM stored
),
item AS (
  SELECT i.namespace, i.name, i.state, i.uid, i.resource_version, i.observed::numeric AS observed_version,
         i.content, i.checksum, i.content_format, i.reason, i.place
  FROM unnest($9::text[], $10::text[], $11::text[], $12::text[], $13::text[], $14::text[], $15::text[],
              $16::bytea[], $17::text[], $18::text[]) WITH ORDINALITY
    AS i(namespace, name, state, uid, resource_version, observed, content, checksum, content_format, reason, place)
),
candidate AS (
  SELECT item.*, state.inc AS incarnation, state.verified_at, state.low, state.high,
         state.inc = state.incarnation AND state.ordered_by = 'VERSION' AS is_comparable,
         o.state AS old_state, o.uid AS old_uid, o.resource_version AS old_resource_version,
         o.checksum AS old_checksum, o.content_format AS old_content_format,
         o.incarnation AS old_incarnation, o.observed_version AS old_observed_version,
         (o.incarnation, o.observed_version) > (state.incarnation, state.high) AS corrupt
  FROM item
  CROSS JOIN state
  LEFT JOIN LATERAL (
    SELECT * FROM kubernetes_object
    WHERE ${rowOf("item")}
    LIMIT 1
  ) o ON TRUE
  WHERE (cardinality(state.namespaces) = 0 OR item.namespace = ANY (state.namespaces))
    AND (o.name IS NOT NULL
         OR (state.inc, item.observed_version) >=
            (state.incarnation,
             CASE WHEN state.inc > state.incarnation THEN 0 ELSE greatest(state.low, state.purged) END))
)`;

/** True if the candidate EXCLUDED applies to the row o. */
export const IS_ACCEPTED = `
    (EXCLUDED.incarnation, EXCLUDED.observed_version) >= (o.incarnation, o.observed_version)
     OR (o.incarnation, o.observed_version) > (SELECT incarnation, high FROM state)
`;

/** True if something other than the ingester wrote the row of a candidate. */
const IS_FOREIGN = "(corrupt OR (old_checksum IS NULL AND old_state = 'present'))";

/** True if the row of a candidate is wrong: it differs from the observation in more than the content format. */
const IS_WRONG = `
    (CASE WHEN state = 'absent' THEN COALESCE(old_state, 'absent') <> 'absent'
          ELSE corrupt IS TRUE
            OR (old_state, old_uid, old_resource_version) IS DISTINCT FROM (state, uid, resource_version)
            OR (old_state = 'present' AND old_checksum IS NULL)
            OR (old_content_format = content_format AND old_checksum IS DISTINCT FROM checksum) END)`;

/** Version at which the object last changed; null if it is not comparable with watermarks. */
const CHANGED_AT =
  "CASE WHEN is_comparable AND resource_version ~ '^[0-9]{1,39}$' THEN resource_version::numeric END";

/** True if the row is missing although the last full pass stored it, and no Delete was observed. */
const WAS_DELETED = `(old_state IS NULL AND ${CHANGED_AT} <= low)`;

/** Records the first repair of the attempt, and counts the rows that change without being findings. */
export const REPAIRED_RESULT = `
repaired_result AS (
  UPDATE reconciliation_result SET
    first_sequence = CASE WHEN first_attempt = $21 THEN least(first_sequence, $20) ELSE $20 END,
    first_attempt = $21,
    (created, format_changes, scope_changes) = (
      SELECT created + count(*) FILTER (
               WHERE state <> 'absent' AND COALESCE(old_state, 'absent') = 'absent'),
             format_changes + count(*) FILTER (
               WHERE NOT ${IS_WRONG} AND state <> 'absent' AND old_content_format <> content_format),
             scope_changes + count(*) FILTER (
               WHERE ${IS_WRONG} AND NOT COALESCE(verified_at <= now(), FALSE))
      FROM candidate JOIN accepted USING (namespace, name)
    )
  WHERE account = $1 AND cluster = $2 AND run_id = $19::uuid AND api_group = $3 AND resource = $4
    AND ended_at IS NULL AND first_attempt <= $21
)`;

/**
 * Adds the findings of the run.
 *
 * Repairs of a resource type that was never verified are its first copy, not findings. Content in another format
 * differs for no other reason, so it is no finding either. Nor has an unknown run findings: no request would return
 * them, and no purge would delete them.
 */
export const newFindings = (table: FindingTable): string => `
new_finding AS (
  INSERT INTO ${table}
    (account, cluster, run_id, api_group, resource, namespace, name, api_version, type, cause, detail, found_at)
  SELECT $1, $2, $19::uuid, $3, $4, namespace, name, $5,
         CASE
           WHEN state = 'absent' THEN 'GHOST_ROW'
           WHEN COALESCE(old_state, 'absent') = 'absent' THEN 'MISSING_ROW'
           ELSE 'STALE_ROW'
         END,
         CASE
           WHEN state = 'absent' THEN CASE WHEN ${IS_FOREIGN} THEN 'GHOST' ELSE 'MISSED_CHANGE' END
           WHEN COALESCE(old_state, 'absent') = 'absent' THEN CASE
             WHEN ${WAS_DELETED} THEN 'MANUAL_EDIT'
             WHEN ${CHANGED_AT} > COALESCE(old_observed_version, high) THEN 'MISSED_CHANGE'
             ELSE 'UNKNOWN'
           END
           WHEN ${IS_FOREIGN} THEN 'MANUAL_EDIT'
           WHEN old_uid <> uid OR old_resource_version <> resource_version THEN 'MISSED_CHANGE'
           ELSE 'UNKNOWN'
         END,
         CASE
           WHEN state = 'absent' THEN 'the row''s object is not in the cluster'
           WHEN ${WAS_DELETED} THEN 'the row was deleted by something other than the ingester'
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
  FROM candidate JOIN accepted USING (namespace, name)
  WHERE EXISTS (SELECT FROM reconciliation_run WHERE account = $1 AND cluster = $2 AND id = $19::uuid)
    AND verified_at <= now()
    AND ${IS_WRONG}
  ON CONFLICT DO NOTHING
  RETURNING namespace, name, type
)`;

/** Largest content that is compared by fields, in bytes. */
export const MAX_COMPARED_BYTES = 256 * 1024;

/** Findings of one statement whose contents are compared by fields. They bound its memory and its time. */
const MAX_COMPARED_FINDINGS = 50;

const COUNTS = `
  (SELECT count(*) FROM accepted)::int AS applied,
  (SELECT count(*) FROM item, state
   WHERE cardinality(state.namespaces) > 0 AND NOT item.namespace = ANY (state.namespaces))::int AS out_of_scope`;

/** Returns the counts of a statement. */
export const OUTCOME = `
SELECT ${COUNTS}
FROM state`;

/**
 * Returns the counts of a statement of a run, and the contents that stale rows had before it. It reads the contents of
 * findings only.
 */
export const RUN_OUTCOME = `
SELECT ${COUNTS},
       old.namespace, old.name, old.content
FROM state
LEFT JOIN (
  SELECT f.namespace, f.name, o.content
  FROM (SELECT namespace, name FROM new_finding WHERE type = 'STALE_ROW' LIMIT ${MAX_COMPARED_FINDINGS}) f
  CROSS JOIN LATERAL (
    SELECT content::text AS content FROM kubernetes_object
    WHERE ${rowOf("f")}
    LIMIT 1
  ) o
  WHERE octet_length(o.content) <= ${MAX_COMPARED_BYTES}
) old ON TRUE`;
