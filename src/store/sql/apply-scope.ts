import type { ClientBase } from "pg";
import type { ScopeDeclared } from "../../../gen/proto/evenkeel/v1/scope_pb.ts";
import type { SessionKey } from "../session-store.ts";

/**
 * Stores the scope of the cluster. The statement is idempotent.
 *
 * Only a removed resource type, and a namespace that is no longer read, lose rows and tombstones. They also lose their
 * low watermark, so that the rows return when the scope widens. A resource type that is neither declared nor removed is
 * undecided: its rows and its verified time stay.
 *
 * A resource type whose namespaces grew was never verified in them, so it loses its verified time: the first copy of
 * the new namespaces is no drift.
 */
export async function applyScope(
  client: ClientBase,
  { account, cluster, epoch }: SessionKey,
  scope: ScopeDeclared,
): Promise<void> {
  const cluster$ = [account, cluster];
  const removed = scope.removed.flatMap(({ resourceType }) => resourceType ?? []);
  await client.query(DROP_REMOVED, [
    ...cluster$,
    removed.map(({ group }) => group),
    removed.map(({ resource }) => resource),
  ]);
  const declared = JSON.stringify(toRows(scope));
  await client.query(DROP_NAMESPACES, [...cluster$, declared]);
  await client.query(PUT_RESOURCES, [...cluster$, declared, epoch, scope.generation]);
  await client.query(MARK_UNDECIDED, [
    ...cluster$,
    declared,
    scope.undecided.map(({ group }) => group),
    scope.undecided.map(({ version }) => version),
    scope.undecided.map(({ group, version, failure }) =>
      `${group}/${version}: ${failure?.message ?? ""}`.slice(0, MAX_MESSAGE_LENGTH),
    ),
  ]);
}

const MAX_MESSAGE_LENGTH = 500;

function toRows({ resources, namespaces }: ScopeDeclared): object[] {
  return resources.flatMap((scope) =>
    scope.resourceType === undefined
      ? []
      : [
          {
            api_group: scope.resourceType.group,
            resource: scope.resourceType.resource,
            api_version: scope.resourceType.version,
            kind: scope.kind,
            singular: scope.singular,
            short_names: scope.shortNames,
            namespaced: scope.namespaced,
            categories: scope.categories,
            verbs: scope.verbs,
            namespaces: scope.namespaced ? namespaces : [],
          },
        ],
  );
}

const SCOPE = `
WITH scope AS (
  SELECT *
  FROM jsonb_to_recordset($3::jsonb) AS s(
    api_group text, resource text, api_version text, kind text, singular text, short_names text[], namespaced boolean,
    categories text[], verbs text[], namespaces text[])
)`;

const DROP_REMOVED = `
WITH removed AS (
  SELECT * FROM unnest($3::text[], $4::text[]) AS r(api_group, resource)
),
gone AS (
  DELETE FROM resource_state k USING removed r
  WHERE k.account = $1 AND k.cluster = $2 AND k.api_group = r.api_group AND k.resource = r.resource
)
DELETE FROM kubernetes_object o USING removed r
WHERE o.account = $1 AND o.cluster = $2 AND o.api_group = r.api_group AND o.resource = r.resource`;

const DROP_NAMESPACES = `${SCOPE},
narrowed AS (
  UPDATE resource_state k SET low_watermark = 0
  FROM scope s
  WHERE k.account = $1 AND k.cluster = $2 AND k.api_group = s.api_group AND k.resource = s.resource
    AND cardinality(s.namespaces) > 0 AND (cardinality(k.namespaces) = 0 OR NOT k.namespaces <@ s.namespaces)
  RETURNING s.*
)
DELETE FROM kubernetes_object o USING narrowed s
WHERE o.account = $1 AND o.cluster = $2 AND o.api_group = s.api_group AND o.resource = s.resource
  AND NOT o.namespace = ANY (s.namespaces)`;

/** True if namespaces are read that were not read before. */
const HAS_GROWN = `(cardinality(k.namespaces) > 0
  AND (cardinality(EXCLUDED.namespaces) = 0 OR NOT EXCLUDED.namespaces <@ k.namespaces))`;

/** True if a comparison that began before this scope does not cover the resource type as it is read now. */
const IS_READ_DIFFERENTLY = `(k.availability = 'UNDECIDED'
  OR (k.api_version, k.namespaces) IS DISTINCT FROM (EXCLUDED.api_version, EXCLUDED.namespaces))`;

const PUT_RESOURCES = `${SCOPE}
INSERT INTO resource_state AS k
  (account, cluster, api_group, resource, api_version, kind, singular, short_names, namespaced, categories, verbs,
   namespaces, scope_epoch, scope_generation)
SELECT $1, $2, api_group, resource, api_version, kind, singular, short_names, namespaced, categories, verbs, namespaces,
       $4, $5
FROM scope
ON CONFLICT (account, cluster, api_group, resource) DO UPDATE SET
  api_version = EXCLUDED.api_version, kind = EXCLUDED.kind, singular = EXCLUDED.singular,
  short_names = EXCLUDED.short_names, namespaced = EXCLUDED.namespaced, categories = EXCLUDED.categories,
  verbs = EXCLUDED.verbs, namespaces = EXCLUDED.namespaces,
  availability = CASE WHEN k.availability = 'UNDECIDED' THEN 'READABLE' ELSE k.availability END,
  failure_reason = CASE WHEN k.availability = 'UNDECIDED' THEN NULL ELSE k.failure_reason END,
  failure_message = CASE WHEN k.availability = 'UNDECIDED' THEN NULL ELSE k.failure_message END,
  scope_epoch = CASE WHEN ${IS_READ_DIFFERENTLY} THEN EXCLUDED.scope_epoch ELSE k.scope_epoch END,
  scope_generation = CASE WHEN ${IS_READ_DIFFERENTLY} THEN EXCLUDED.scope_generation ELSE k.scope_generation END,
  joined_at = CASE WHEN k.availability = 'UNDECIDED' OR ${HAS_GROWN} THEN now() ELSE k.joined_at END,
  verified_at = CASE WHEN ${HAS_GROWN} THEN NULL ELSE k.verified_at END
WHERE ${IS_READ_DIFFERENTLY}
   OR (k.kind, k.singular, k.short_names, k.namespaced, k.categories, k.verbs)
      IS DISTINCT FROM (EXCLUDED.kind, EXCLUDED.singular, EXCLUDED.short_names, EXCLUDED.namespaced,
                        EXCLUDED.categories, EXCLUDED.verbs)`;

const MARK_UNDECIDED = `${SCOPE}
UPDATE resource_state k SET
  availability = 'UNDECIDED',
  failure_reason = 'Undecided',
  failure_message = COALESCE(
    (SELECT u.message FROM unnest($4::text[], $5::text[], $6::text[]) AS u(api_group, api_version, message)
     WHERE u.api_group = k.api_group AND u.api_version IN ('', k.api_version) LIMIT 1),
    'not served in the last discovery; its rows stay until it is served again or proven to be gone')
WHERE k.account = $1 AND k.cluster = $2
  AND NOT EXISTS (SELECT FROM scope s WHERE s.api_group = k.api_group AND s.resource = k.resource)`;
