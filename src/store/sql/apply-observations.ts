import type { ClientBase } from "pg";
import type { Observation } from "../postgres/observation.ts";
import { recordDifferences } from "./finding-differences.ts";
import {
  CANDIDATES,
  IS_ACCEPTED,
  newFindings,
  type ObservationContext,
  OUTCOME,
  type OutcomeRow,
  REPAIRED_RESULT,
  RUN_OUTCOME,
  type RunOutcomeRow,
  toRuleParameters,
  toRunParameters,
} from "./write-rule.ts";

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
 * An observation applies if `(incarnation, O) >= (row or tombstone, else low watermark or purged version)`:
 * - `>=`, because at equal O there is one truth; it repairs an edited row of an idle cluster.
 * - A row above the highest version at which the resource type was ever observed (`state.high`, as it was before this
 *   statement) is corrupt and counts as 0; so do a low watermark and a purged version above it.
 * - A newer incarnation starts with all of them at 0. An unset incarnation means the stored one, unless a younger
 *   session detected that: then the observation is from before the versions went back.
 *
 * A change number is assigned only if a reader sees a change. The cluster's lock gives the numbers the order of
 * commits. They are at least the time in microseconds, so they do not go back after a restore of the database. A
 * tombstone keeps the last content for readers that follow changes.
 *
 * At equal O, a live Put does not apply to the tombstone of the same object: a uid does not come back. Some API servers
 * report a deletion at the object's last version, and a batch that is sent again would bring the row back. A
 * run's Put applies, because the tombstone itself may be wrong.
 *
 * Observations of a session before the cluster's first epoch belong to another cluster of this name, and do not apply.
 *
 * The caller holds the cluster's lock, so the statement writes what its common table expressions read.
 */
export async function applyObservations(
  client: ClientBase,
  context: ObservationContext,
  observations: readonly Observation[],
): Promise<ObservationsOutcome> {
  const rows = await apply(client, context, observations);
  const [row] = rows;
  return { applied: row?.applied ?? 0, outOfScope: row?.out_of_scope ?? observations.length };
}

/** Executes the statement. That of live changes has no part for findings, because each execution plans it. */
async function apply(
  client: ClientBase,
  context: ObservationContext,
  observations: readonly Observation[],
): Promise<readonly OutcomeRow[]> {
  const { run, sequence } = context;
  const parameters = toRuleParameters(context, observations);
  if (run === undefined) {
    return (await client.query<OutcomeRow>(APPLY, parameters)).rows;
  }
  const values = [...parameters, ...toRunParameters(run, sequence)];
  const { rows } = await client.query<RunOutcomeRow>(REPAIR, values);
  await recordDifferences(client, "reconciliation_finding", { ...context, run }, observations, rows);
  return rows;
}

/** True if readers see a difference between the row (o) and its new state. */
const IS_CHANGED = `
  (o.state, o.uid, o.resource_version, o.checksum, o.content_format, o.quarantine_reason) IS DISTINCT FROM
  (EXCLUDED.state, EXCLUDED.uid, EXCLUDED.resource_version, EXCLUDED.checksum, EXCLUDED.content_format,
   EXCLUDED.quarantine_reason)`;

/** As {@link IS_ACCEPTED}, except for a Put of the object whose tombstone is the row o, at the same version. */
const IS_ACCEPTED_LIVE = `(${IS_ACCEPTED}) AND NOT (
  o.state = 'absent' AND EXCLUDED.state <> 'absent' AND o.uid <> '' AND o.uid = EXCLUDED.uid
  AND (o.incarnation, o.observed_version) = (EXCLUDED.incarnation, EXCLUDED.observed_version))`;

const write = (isAccepted: string): string => `
WITH ${CANDIDATES},
counter AS (
  SELECT greatest((SELECT change_seq FROM cluster WHERE account = $1 AND name = $2),
                  (extract(epoch FROM now()) * 1000000)::bigint) AS base
),
numbered AS (
  SELECT candidate.*, counter.base + candidate.place AS seq FROM candidate CROSS JOIN counter
),
accepted AS (
  INSERT INTO kubernetes_object AS o
    (account, cluster, api_group, resource, namespace, name, api_version, state, uid, resource_version,
     observed_version, incarnation, content, checksum, content_format, quarantine_reason,
     change_seq, created_seq, selector_seq, changed_at, updated_at)
  SELECT $1, $2, $3, $4, namespace, name, $5, state, uid, resource_version,
         observed_version, incarnation, content::jsonb, checksum, content_format, reason,
         seq, seq, seq, now(), now()
  FROM numbered
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
  WHERE ${isAccepted}
  RETURNING namespace, name
),
counted AS (
  UPDATE cluster SET change_seq = counter.base + (SELECT count(*) FROM item)
  FROM counter
  WHERE account = $1 AND name = $2
),
written AS (
  SELECT count(*) FILTER (WHERE state = 'present') - count(*) FILTER (WHERE old_state = 'present') AS present,
         count(*) FILTER (WHERE state = 'quarantined') - count(*) FILTER (WHERE old_state = 'quarantined')
           AS quarantined,
         count(*) FILTER (WHERE state = 'absent') - count(*) FILTER (WHERE old_state = 'absent') AS absent
  FROM candidate JOIN accepted USING (namespace, name)
),
seen AS (
  SELECT state.inc, state.incarnation AS old_inc, max(item.observed_version) AS high,
         (state.inc, max(item.observed_version)) > (state.incarnation, state.high) AS is_newer
  FROM item CROSS JOIN state
  GROUP BY state.inc, state.incarnation, state.high
),
new_state AS (
  UPDATE resource_state k SET
    incarnation = CASE WHEN is_newer THEN seen.inc ELSE k.incarnation END,
    high_watermark = CASE WHEN is_newer THEN seen.high ELSE k.high_watermark END,
    low_watermark = CASE WHEN seen.inc > seen.old_inc THEN 0 ELSE k.low_watermark END,
    purged_version = CASE WHEN seen.inc > seen.old_inc THEN 0 ELSE k.purged_version END,
    ordered_by = CASE WHEN is_newer THEN COALESCE(k.ordered_by, $8) ELSE k.ordered_by END,
    present_rows = k.present_rows + written.present,
    quarantined_rows = k.quarantined_rows + written.quarantined,
    absent_rows = k.absent_rows + written.absent
  FROM seen CROSS JOIN written
  WHERE k.account = $1 AND k.cluster = $2 AND k.api_group = $3 AND k.resource = $4
    AND (is_newer OR (written.present, written.quarantined, written.absent) <> (0, 0, 0))
)`;

const APPLY = `${write(IS_ACCEPTED_LIVE)}${OUTCOME}`;

const REPAIR = `${write(IS_ACCEPTED)},
${REPAIRED_RESULT},
${newFindings("reconciliation_finding")}
${RUN_OUTCOME}`;
