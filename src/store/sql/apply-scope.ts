import type { ClientBase } from "pg";
import type { ScopeDeclared } from "../../../gen/proto/evenkeel/v1/scope_pb.ts";
import type { DeletionGuard } from "../../domain/reconciliation/deletion-guard.ts";
import type { StreamPosition } from "../ingest-store.ts";
import type { Withheld } from "./guard-deletions.ts";
import { hasOthers, narrowScope } from "./narrow-scope.ts";

/**
 * Stores the scope of the cluster, and returns the deletions that are withheld. The statements are idempotent.
 *
 * Only a removed resource type, and a namespace that is no longer read, lose rows ({@link narrowScope}). A resource
 * type that is neither declared nor removed is undecided: its rows and its verified time stay.
 *
 * A resource type whose namespaces grew was never verified in them, so it loses its verified time: the first copy of
 * the new namespaces is no drift.
 */
export async function applyScope(
  client: ClientBase,
  position: StreamPosition,
  scope: ScopeDeclared,
  guard: DeletionGuard,
): Promise<Withheld | undefined> {
  const withheld = await narrowScope(client, position, scope, guard);
  const { account, cluster, epoch } = position;
  const cluster$ = [account, cluster];
  const declared = JSON.stringify(toRows(scope));
  // The namespaces once, not with each resource type: together they would exceed what fits into one string.
  await client.query(PUT_RESOURCES, [...cluster$, declared, epoch, scope.generation, scope.namespaces]);
  await client.query(MARK_UNDECIDED, [
    ...cluster$,
    declared,
    scope.undecided.map(({ group }) => group),
    scope.undecided.map(({ version }) => version),
    scope.undecided.map(({ group, version, failure }) =>
      `${group}/${version}: ${failure?.message ?? ""}`.slice(0, MAX_MESSAGE_LENGTH),
    ),
  ]);
  return withheld;
}

const MAX_MESSAGE_LENGTH = 500;

function toRows({ resources }: ScopeDeclared): object[] {
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
          },
        ],
  );
}

const SCOPE = `
WITH scope AS (
  SELECT *
  FROM jsonb_to_recordset($3::jsonb) AS s(
    api_group text, resource text, api_version text, kind text, singular text, short_names text[], namespaced boolean,
    categories text[], verbs text[])
)`;

/** True if namespaces are read that were not read before. */
const HAS_GROWN = `(cardinality(k.namespaces) > 0
  AND (cardinality(EXCLUDED.namespaces) = 0 OR ${hasOthers("EXCLUDED.namespaces", "k.namespaces")}))`;

/** True if the resource type was not compared under the scope before. */
const IS_UNREAD = "k.availability IN ('UNDECIDED', 'WITHHELD')";

/** True if a comparison that began before this scope does not cover the resource type as it is read now. */
const IS_READ_DIFFERENTLY = `(${IS_UNREAD}
  OR (k.api_version, k.namespaces) IS DISTINCT FROM (EXCLUDED.api_version, EXCLUDED.namespaces))`;

const PUT_RESOURCES = `${SCOPE}
INSERT INTO resource_state AS k
  (account, cluster, api_group, resource, api_version, kind, singular, short_names, namespaced, categories, verbs,
   namespaces, scope_epoch, scope_generation)
SELECT $1, $2, api_group, resource, api_version, kind, singular, short_names, namespaced, categories, verbs,
       CASE WHEN namespaced THEN $6::text[] ELSE '{}' END, $4, $5
FROM scope
ON CONFLICT (account, cluster, api_group, resource) DO UPDATE SET
  api_version = EXCLUDED.api_version, kind = EXCLUDED.kind, singular = EXCLUDED.singular,
  short_names = EXCLUDED.short_names, namespaced = EXCLUDED.namespaced, categories = EXCLUDED.categories,
  verbs = EXCLUDED.verbs, namespaces = EXCLUDED.namespaces,
  availability = CASE WHEN ${IS_UNREAD} THEN 'READABLE' ELSE k.availability END,
  failure_reason = CASE WHEN ${IS_UNREAD} THEN NULL ELSE k.failure_reason END,
  failure_message = CASE WHEN ${IS_UNREAD} THEN NULL ELSE k.failure_message END,
  scope_epoch = CASE WHEN ${IS_READ_DIFFERENTLY} THEN EXCLUDED.scope_epoch ELSE k.scope_epoch END,
  scope_generation = CASE WHEN ${IS_READ_DIFFERENTLY} THEN EXCLUDED.scope_generation ELSE k.scope_generation END,
  joined_at = CASE WHEN ${IS_UNREAD} OR ${HAS_GROWN} THEN now() ELSE k.joined_at END,
  verified_at = CASE WHEN ${HAS_GROWN} THEN NULL ELSE k.verified_at END
WHERE ${IS_READ_DIFFERENTLY}
   OR (k.kind, k.singular, k.short_names, k.namespaced, k.categories, k.verbs)
      IS DISTINCT FROM (EXCLUDED.kind, EXCLUDED.singular, EXCLUDED.short_names, EXCLUDED.namespaced,
                        EXCLUDED.categories, EXCLUDED.verbs)`;

// NOT IN hashes the scope. NOT EXISTS joins it, by a nested loop as long as the table has no statistics.
const MARK_UNDECIDED = `${SCOPE}
UPDATE resource_state k SET
  availability = 'UNDECIDED',
  failure_reason = 'Undecided',
  failure_message = COALESCE(
    (SELECT u.message FROM unnest($4::text[], $5::text[], $6::text[]) AS u(api_group, api_version, message)
     WHERE u.api_group = k.api_group AND u.api_version IN ('', k.api_version) LIMIT 1),
    'not served in the last discovery; its rows stay until it is served again or proven to be gone')
WHERE k.account = $1 AND k.cluster = $2 AND k.availability <> 'WITHHELD'
  AND (k.api_group, k.resource) NOT IN (SELECT s.api_group, s.resource FROM scope s)`;
