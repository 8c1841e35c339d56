import type { ClientBase } from "pg";
import type { ScopeDeclared } from "../../../gen/proto/evenkeel/v1/scope_pb.ts";
import type { ClusterKey } from "../postgres/database.ts";

/**
 * Stores the scope of the cluster. Leaving the scope does not mean absence: a resource type or namespace that left
 * loses its rows and tombstones. A resource type that left, or whose namespaces shrank, also loses its low watermark,
 * so that the rows return when the scope widens. A resource type that stays keeps its state, also under another API
 * version. A resource type of a group that did not answer discovery keeps it too. The statement is idempotent.
 */
export async function applyScope(
  client: ClientBase,
  { account, cluster }: ClusterKey,
  scope: ScopeDeclared,
): Promise<void> {
  const parameters = [account, cluster, JSON.stringify(toRows(scope))];
  await client.query(DROP_NAMESPACES, parameters);
  await client.query(DROP_RESOURCES, [...parameters, scope.undecided.map(({ group }) => group)]);
  await client.query(PUT_RESOURCES, parameters);
}

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

const DROP_RESOURCES = `${SCOPE},
gone AS (
  DELETE FROM resource_state k
  WHERE account = $1 AND cluster = $2 AND NOT api_group = ANY ($4::text[])
    AND NOT EXISTS (SELECT 1 FROM scope s WHERE s.api_group = k.api_group AND s.resource = k.resource)
)
DELETE FROM kubernetes_object o
WHERE account = $1 AND cluster = $2 AND NOT api_group = ANY ($4::text[])
  AND NOT EXISTS (SELECT 1 FROM scope s WHERE s.api_group = o.api_group AND s.resource = o.resource)`;

const PUT_RESOURCES = `${SCOPE}
INSERT INTO resource_state AS k
  (account, cluster, api_group, resource, api_version, kind, singular, short_names, namespaced, categories, verbs,
   namespaces)
SELECT $1, $2, api_group, resource, api_version, kind, singular, short_names, namespaced, categories, verbs, namespaces
FROM scope
ON CONFLICT (account, cluster, api_group, resource) DO UPDATE SET
  api_version = EXCLUDED.api_version, kind = EXCLUDED.kind, singular = EXCLUDED.singular,
  short_names = EXCLUDED.short_names, namespaced = EXCLUDED.namespaced, categories = EXCLUDED.categories,
  verbs = EXCLUDED.verbs, namespaces = EXCLUDED.namespaces
WHERE (k.api_version, k.kind, k.singular, k.short_names, k.namespaced, k.categories, k.verbs, k.namespaces)
  IS DISTINCT FROM (EXCLUDED.api_version, EXCLUDED.kind, EXCLUDED.singular, EXCLUDED.short_names, EXCLUDED.namespaced,
                    EXCLUDED.categories, EXCLUDED.verbs, EXCLUDED.namespaces)`;
