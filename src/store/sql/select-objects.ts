import type { Pool } from "pg";
import type { ObjectQuery } from "../fleet-store.ts";

/** An object that is present or quarantined, with the verified time of its kind. */
export interface ObjectRow {
  readonly group: string;
  readonly resource: string;
  readonly version: string;
  readonly namespace: string;
  readonly name: string;
  readonly state: string;
  readonly uid: string;
  readonly resource_version: string;
  readonly observed_version: string;
  /** As jsonb writes it; null when it was not asked for, or is not stored. */
  readonly content: string | null;
  readonly checksum: Buffer | null;
  readonly managed_by: string | null;
  readonly quarantine_reason: string | null;
  readonly updated_at: Date;
  readonly verified_at: Date | null;
}

/** The key of the object in front of a page: group, resource, namespace, name. */
export type ObjectPosition = readonly [group: string, resource: string, namespace: string, name: string];

/**
 * Objects of a cluster by group, resource, namespace and name, one more than the page's limit.
 *
 * SQL and not Prisma, which reads the numbers of JSON as doubles; as text they keep every digit.
 */
export async function selectObjects(
  pool: Pool,
  account: string,
  query: Omit<ObjectQuery, "after">,
  after: ObjectPosition | undefined,
): Promise<ObjectRow[]> {
  const { cluster, group, resource, namespace, includeContent, limit } = query;
  const filter = [cluster, group ?? null, resource ?? null, namespace ?? null, includeContent, limit + 1];
  const { rows } = await pool.query<ObjectRow>(after === undefined ? SELECT : SELECT_AFTER, [
    account,
    ...filter,
    ...(after ?? []),
  ]);
  return rows;
}

/** The object of that key, with its content. */
export async function selectObject(
  pool: Pool,
  account: string,
  cluster: string,
  key: ObjectPosition,
): Promise<ObjectRow | undefined> {
  const { rows } = await pool.query<ObjectRow>(SELECT_ONE, [account, cluster, ...key, true]);
  return rows[0];
}

function selectFrom(content: string): string {
  return `
SELECT o.api_group AS group, o.resource, o.version, o.namespace, o.name, o.state, o.uid, o.resource_version,
  o.observed_version, CASE WHEN ${content} THEN o.content::text END AS content, o.checksum, o.managed_by,
  o.quarantine_reason, o.updated_at, k.verified_at
FROM kubernetes_object o
LEFT JOIN kind_state k ON k.account = o.account AND k.cluster = o.cluster
  AND k.api_group = o.api_group AND k.resource = o.resource`;
}

const WHERE = `
WHERE o.account = $1 AND o.cluster = $2 AND o.state <> 'absent'
  AND ($3::text IS NULL OR o.api_group = $3) AND ($4::text IS NULL OR o.resource = $4)
  AND ($5::text IS NULL OR o.namespace = $5)`;

const ORDER = `
ORDER BY o.api_group, o.resource, o.namespace, o.name
LIMIT $7`;

const SELECT = `${selectFrom("$6::boolean")}${WHERE}${ORDER}`;

const SELECT_AFTER = `${selectFrom("$6::boolean")}${WHERE}
  AND (o.api_group, o.resource, o.namespace, o.name) > ($8::text, $9::text, $10::text, $11::text)${ORDER}`;

const SELECT_ONE = `${selectFrom("$7::boolean")}
WHERE o.account = $1 AND o.cluster = $2 AND o.state <> 'absent'
  AND o.api_group = $3 AND o.resource = $4 AND o.namespace = $5 AND o.name = $6`;
