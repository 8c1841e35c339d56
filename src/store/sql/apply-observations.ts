import type { ClientBase } from "pg";
import type { Observation } from "../postgres/observation.ts";
import { toByteaArray, toTextArray } from "./binary-array.ts";

/** What all observations of a statement share. */
export interface ObservationContext {
  readonly account: string;
  readonly cluster: string;
  readonly group: string;
  readonly resource: string;
  readonly version: string;
  readonly epoch: bigint;
  readonly incarnation: bigint | undefined;
  readonly now: Date;
  /** The run that the observations repair, if any: rows of a kind that was verified before, and that they change, become its findings. */
  readonly runId: string | undefined;
}

/** What became of the observations. */
export interface ObservationsOutcome {
  /** Rows written. */
  readonly applied: number;
  /** Observations of a kind or namespace that the scope excludes. */
  readonly outOfScope: number;
}

/**
 * The rule that decides every write, for the observations of one kind, in one statement.
 *
 * An observation applies when `(incarnation, O) >= (row or tombstone, else floor)`:
 * - `>=`, because at equal O there is one truth; a row that somebody edited on an idle cluster is set right by it.
 * - A row above the highest version that the kind was ever observed at (`kind.mark`, as it was before this
 *   statement) is corrupt and counts as 0; a floor above it likewise.
 * - A newer incarnation starts with mark and floor at 0. An unset one takes the kind's own, unless that was found
 *   by a younger session: then the observation is from before versions went back.
 *
 * What a run brings of a kind that was never verified is its first copy, and no finding; and a run that is not known has
 * none: nobody would ever show or purge them.
 *
 * The caller holds the cluster's lock, so what the common table expressions read is what is written to.
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
    context.now,
    context.runId ?? null,
    toTextArray(observations.map((observation) => observation.namespace)),
    toTextArray(observations.map((observation) => observation.name)),
    toTextArray(observations.map((observation) => observation.state)),
    toTextArray(observations.map((observation) => observation.uid)),
    toTextArray(observations.map((observation) => observation.resourceVersion)),
    toTextArray(observations.map((observation) => observation.observedVersion)),
    toTextArray(observations.map((observation) => observation.content)),
    toByteaArray(observations.map((observation) => observation.checksum)),
    toTextArray(observations.map((observation) => observation.form)),
    toTextArray(observations.map((observation) => observation.quarantineReason)),
  ]);
  const [row] = rows;
  return { applied: row?.applied ?? 0, outOfScope: row?.out_of_scope ?? observations.length };
}

const APPLY = `
WITH kind AS (
  SELECT incarnation, high_water_mark AS mark, namespaces, verified_at,
         CASE WHEN floor > high_water_mark THEN 0 ELSE floor END AS floor,
         CASE WHEN $6::bigint IS NOT NULL THEN $6::bigint WHEN $7::bigint >= incarnation THEN incarnation ELSE 0 END AS inc
  FROM kind_state
  WHERE account = $1 AND cluster = $2 AND api_group = $3 AND resource = $4
),
item AS (
  SELECT i.namespace, i.name, i.state, i.uid, i.resource_version, i.observed::numeric AS observed_version,
         i.content, i.checksum, i.form, i.reason
  FROM unnest($10::text[], $11::text[], $12::text[], $13::text[], $14::text[], $15::text[], $16::text[],
              $17::bytea[], $18::text[], $19::text[])
    AS i(namespace, name, state, uid, resource_version, observed, content, checksum, form, reason)
),
judged AS (
  SELECT item.*, kind.inc, kind.verified_at,
         o.state AS old_state, o.uid AS old_uid, o.resource_version AS old_resource_version,
         o.checksum AS old_checksum, o.form AS old_form,
         (o.incarnation, o.observed_version) > (kind.incarnation, kind.mark) AS corrupt
  FROM item
  CROSS JOIN kind
  LEFT JOIN kubernetes_object o
    ON o.account = $1 AND o.cluster = $2 AND o.api_group = $3 AND o.resource = $4
    AND o.namespace = item.namespace AND o.name = item.name
  WHERE (cardinality(kind.namespaces) = 0 OR item.namespace = ANY (kind.namespaces))
    AND (o.name IS NOT NULL
         OR (kind.inc, item.observed_version) >=
            (kind.incarnation, CASE WHEN kind.inc > kind.incarnation THEN 0 ELSE kind.floor END))
),
written AS (
  INSERT INTO kubernetes_object AS o
    (account, cluster, api_group, resource, namespace, name, version, state, uid, resource_version,
     observed_version, incarnation, content, checksum, form, quarantine_reason, updated_at)
  SELECT $1, $2, $3, $4, namespace, name, $5, state, uid, resource_version,
         observed_version, inc, content::jsonb, checksum, form, reason, $8
  FROM judged
  ORDER BY namespace COLLATE "C", name COLLATE "C"
  ON CONFLICT (account, cluster, api_group, resource, namespace, name) DO UPDATE SET
    version = EXCLUDED.version, state = EXCLUDED.state, uid = EXCLUDED.uid,
    resource_version = EXCLUDED.resource_version, observed_version = EXCLUDED.observed_version,
    incarnation = EXCLUDED.incarnation, content = EXCLUDED.content, checksum = EXCLUDED.checksum,
    form = EXCLUDED.form, quarantine_reason = EXCLUDED.quarantine_reason, updated_at = EXCLUDED.updated_at
  WHERE (EXCLUDED.incarnation, EXCLUDED.observed_version) >= (o.incarnation, o.observed_version)
     OR (o.incarnation, o.observed_version) > (SELECT incarnation, mark FROM kind)
  RETURNING namespace, name
),
marked AS (
  UPDATE kind_state k SET
    incarnation = seen.inc,
    high_water_mark = seen.mark,
    floor = CASE WHEN seen.inc > k.incarnation THEN 0 ELSE k.floor END
  FROM (SELECT kind.inc, max(item.observed_version) AS mark FROM item CROSS JOIN kind GROUP BY kind.inc) seen
  WHERE k.account = $1 AND k.cluster = $2 AND k.api_group = $3 AND k.resource = $4
    AND (seen.inc, seen.mark) > (k.incarnation, k.high_water_mark)
),
found AS (
  INSERT INTO reconciliation_finding
    (account, cluster, run_id, api_group, resource, namespace, name, version, type, detail, found_at)
  SELECT $1, $2, $9::uuid, $3, $4, namespace, name, $5,
         CASE WHEN state = 'absent' THEN 'GHOST' WHEN COALESCE(old_state, 'absent') = 'absent' THEN 'MISSING' ELSE 'CHANGED' END,
         CASE
           WHEN state = 'absent' THEN 'the row''s object is not in the cluster'
           WHEN COALESCE(old_state, 'absent') = 'absent' THEN 'the object had no row'
           WHEN corrupt THEN 'observed version above all that the kind was ever observed at'
           WHEN old_checksum IS NULL THEN 'written by something other than the ingester'
           WHEN old_uid <> uid THEN 'another object of the same name'
           WHEN old_resource_version <> resource_version THEN 'resource version ' || old_resource_version || ' instead of ' || resource_version
           WHEN old_checksum <> checksum THEN 'content differs at the same resource version'
           WHEN old_form <> form THEN 'content made in another form'
           ELSE 'could not be stored before'
         END,
         $8
  FROM judged JOIN written USING (namespace, name)
  WHERE EXISTS (SELECT FROM reconciliation_run WHERE account = $1 AND cluster = $2 AND id = $9::uuid)
    AND verified_at IS NOT NULL
    AND (CASE WHEN state = 'absent' THEN COALESCE(old_state, 'absent') <> 'absent'
              ELSE corrupt IS TRUE
                OR (old_state, old_uid, old_resource_version, old_checksum, old_form)
                   IS DISTINCT FROM (state, uid, resource_version, checksum, form) END)
  ON CONFLICT DO NOTHING
)
SELECT (SELECT count(*) FROM written)::int AS applied,
       (SELECT count(*) FROM item, kind
        WHERE cardinality(kind.namespaces) > 0 AND NOT item.namespace = ANY (kind.namespaces))::int AS out_of_scope
FROM kind`;
