import type { ClientBase } from "pg";
import type { ScopeDeclared } from "../../../gen/proto/evenkeel/v1/scope_pb.ts";
import type { ClusterKey } from "../postgres/database.ts";

/**
 * Makes the scope the cluster's. Leaving the scope is no claim of absence: what left loses rows, tombstones and,
 * for a whole kind or for a kind whose namespaces shrank, its floor; so that it is taken up again when the scope
 * widens. A kind that stays keeps what is known of it, also under another API version. Safe to repeat.
 */
export async function applyScope(
  client: ClientBase,
  { account, cluster }: ClusterKey,
  scope: ScopeDeclared,
): Promise<void> {
  const resources = scope.resources.flatMap(({ resourceType, namespaces }) =>
    resourceType === undefined
      ? []
      : [
          {
            api_group: resourceType.group,
            resource: resourceType.resource,
            version: resourceType.version,
            namespaces,
          },
        ],
  );
  const parameters = [account, cluster, JSON.stringify(resources)];
  await client.query(DROP_NAMESPACES, parameters);
  await client.query(DROP_RESOURCES, parameters);
  await client.query(PUT_RESOURCES, parameters);
}

const SCOPE = `
WITH scope AS (
  SELECT s.api_group, s.resource, s.version,
         ARRAY(SELECT jsonb_array_elements_text(s.namespaces)) AS namespaces
  FROM jsonb_to_recordset($3::jsonb) AS s(api_group text, resource text, version text, namespaces jsonb)
)`;

const DROP_NAMESPACES = `${SCOPE},
narrowed AS (
  UPDATE kind_state k SET floor = 0
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
  DELETE FROM kind_state k
  WHERE account = $1 AND cluster = $2
    AND NOT EXISTS (SELECT 1 FROM scope s WHERE s.api_group = k.api_group AND s.resource = k.resource)
)
DELETE FROM kubernetes_object o
WHERE account = $1 AND cluster = $2
  AND NOT EXISTS (SELECT 1 FROM scope s WHERE s.api_group = o.api_group AND s.resource = o.resource)`;

const PUT_RESOURCES = `${SCOPE}
INSERT INTO kind_state AS k (account, cluster, api_group, resource, version, namespaces)
SELECT $1, $2, api_group, resource, version, namespaces FROM scope
ON CONFLICT (account, cluster, api_group, resource) DO UPDATE
SET version = EXCLUDED.version, namespaces = EXCLUDED.namespaces
WHERE (k.version, k.namespaces) IS DISTINCT FROM (EXCLUDED.version, EXCLUDED.namespaces)`;
