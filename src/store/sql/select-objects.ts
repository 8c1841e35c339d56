import type { Pool } from "pg";
import type { ObjectQuery } from "../fleet-store.ts";

/** An object that is present or quarantined, with the verified time of its resource type. */
export interface ObjectRow {
  readonly cluster: string;
  readonly group: string;
  readonly resource: string;
  readonly version: string;
  readonly namespace: string;
  readonly name: string;
  readonly state: string;
  readonly uid: string;
  readonly resource_version: string;
  readonly observed_version: string;
  /** Text of the jsonb; null if it was not requested or is not stored. */
  readonly content: string | null;
  readonly checksum: Buffer | null;
  readonly managed_by: string | null;
  readonly quarantine_reason: string | null;
  readonly updated_at: Date;
  readonly verified_at: Date | null;
}

/** The key of an object in the order of lists. */
export type ObjectPosition = readonly [
  cluster: string,
  group: string,
  resource: string,
  namespace: string,
  name: string,
];

/**
 * Selects objects without their contents by cluster, group, resource, namespace and name, one more than the page's
 * limit.
 *
 * SQL and not Prisma, because Prisma reads the numbers of JSON as doubles. As text they keep every digit. The
 * conditions are composed for each query, so that the planner sees only those that apply.
 */
export async function selectObjects(
  pool: Pool,
  account: string,
  query: Omit<ObjectQuery, "after">,
  after: ObjectPosition | undefined,
): Promise<ObjectRow[]> {
  const { conditions, values, parameter } = toConditions(account, query);
  if (after !== undefined) {
    const key = after.map((part) => `${parameter(part)}::text`).join(", ");
    conditions.push(`(${KEY}) > (${key})`);
  }
  const { rows } = await pool.query<ObjectRow>(
    `SELECT ${COLUMNS}, NULL AS content FROM ${ROWS}
WHERE ${conditions.join(" AND ")}
ORDER BY ${KEY}
LIMIT ${parameter(query.limit + 1)}`,
    values,
  );
  return rows;
}

/**
 * Selects objects like {@link selectObjects}, with their contents, until these exceed `maxBytes`.
 *
 * It reads one row after the other, because the sizes of contents are known only when they are read: a thousand large
 * ones would not fit into memory.
 */
export async function selectContents(
  pool: Pool,
  account: string,
  query: Omit<ObjectQuery, "after">,
  after: ObjectPosition | undefined,
  maxBytes: number,
): Promise<ObjectRow[]> {
  const { conditions, values, parameter } = toConditions(account, query);
  const key = (after ?? ["", "", "", "", ""]).map((part) => `${parameter(part)}::text COLLATE "C"`);
  const { rows } = await pool.query<ObjectRow>(
    `
WITH RECURSIVE page (cluster, api_group, resource, namespace, name, content, place, bytes) AS (
  SELECT ${key.join(", ")}, NULL::text, 0, 0::bigint
  UNION ALL
  SELECT o.*, page.place + 1, page.bytes + coalesce(octet_length(o.content), 0)
  FROM page
  CROSS JOIN LATERAL (
    SELECT ${KEY}, o.content::text AS content
    FROM kubernetes_object o
    WHERE ${conditions.join(" AND ")}
      AND (${KEY}) > (page.cluster, page.api_group, page.resource, page.namespace, page.name)
    ORDER BY ${KEY}
    LIMIT 1
  ) o
  WHERE page.place <= ${parameter(query.limit)} AND page.bytes <= ${parameter(maxBytes)}
)
SELECT ${COLUMNS}, page.content
FROM page
JOIN ${ROWS} ON o.account = $1 AND (${KEY}) = (page.cluster, page.api_group, page.resource, page.namespace, page.name)
WHERE page.place > 0
ORDER BY page.place`,
    values,
  );
  return rows;
}

/** Returns the conditions of a query for rows `o`, with the values of its parameters. `parameter` adds one. */
function toConditions(
  account: string,
  { clusters, resources, namespace, namePrefix }: Omit<ObjectQuery, "after">,
) {
  const values: unknown[] = [account];
  const parameter = (value: unknown): string => `$${values.push(value)}`;
  const conditions = ["o.account = $1", "o.state <> 'absent'"];
  if (clusters !== undefined) {
    conditions.push(
      clusters.length === 1
        ? `o.cluster = ${parameter(clusters[0])}`
        : `o.cluster = ANY (${parameter(clusters)}::text[])`,
    );
  }
  if (resources.length > 0) {
    const selected = resources.map(({ group, resource }) => {
      const parts = [
        ...(group === undefined ? [] : [`o.api_group = ${parameter(group)}`]),
        ...(resource === undefined ? [] : [`o.resource = ${parameter(resource)}`]),
      ];
      return parts.length === 0 ? "TRUE" : `(${parts.join(" AND ")})`;
    });
    conditions.push(`(${selected.join(" OR ")})`);
  }
  if (namespace !== undefined) {
    conditions.push(`o.namespace = ${parameter(namespace)}`);
  }
  if (namePrefix !== undefined) {
    conditions.push(`starts_with(o.name, ${parameter(namePrefix)})`);
  }
  return { conditions, values, parameter };
}

/** Selects the object with this key, with its content. */
export async function selectObject(
  pool: Pool,
  account: string,
  key: ObjectPosition,
): Promise<ObjectRow | undefined> {
  const { rows } = await pool.query<ObjectRow>(SELECT_ONE, [account, ...key]);
  return rows[0];
}

const KEY = "o.cluster, o.api_group, o.resource, o.namespace, o.name";

const COLUMNS = `o.cluster, o.api_group AS group, o.resource, o.api_version AS version, o.namespace, o.name, o.state,
  o.uid, o.resource_version, o.observed_version, o.checksum, o.managed_by, o.quarantine_reason, o.updated_at,
  CASE WHEN k.verified_at <= now() THEN k.verified_at END AS verified_at`;

const ROWS = `kubernetes_object o
LEFT JOIN resource_state k ON k.account = o.account AND k.cluster = o.cluster
  AND k.api_group = o.api_group AND k.resource = o.resource`;

const SELECT_ONE = `SELECT ${COLUMNS}, o.content::text AS content FROM ${ROWS}
WHERE o.account = $1 AND o.cluster = $2 AND o.state <> 'absent'
  AND o.api_group = $3 AND o.resource = $4 AND o.namespace = $5 AND o.name = $6`;
