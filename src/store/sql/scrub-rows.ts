import type { ClientBase, Pool } from "pg";
import type { ResourceType } from "../../../gen/proto/evenkeel/v1/resource_pb.ts";
import type { ObjectKey } from "../../domain/object-key.ts";
import type { ClusterKey } from "../postgres/database.ts";

/** A row with the content and the checksum that Postgres returns for it. */
export interface ScrubRow extends ObjectKey {
  /** Text of `jsonb`: not canonical. */
  readonly content: string;
  readonly checksum: Buffer;
}

/** Rows behind a key. */
export interface ScrubPage {
  /** The key; empty before the first row. */
  readonly after: ObjectKey;
  readonly rows: readonly ScrubRow[];
}

/**
 * Reads the rows behind the key `after`, or behind the resource type's stored cursor, in key order, until there are
 * `maxRows` of them or more than `maxBytes` of content. It reads one row after the other, because the sizes of contents
 * are known only after they were read.
 */
export async function selectScrubPage(
  pool: Pool,
  { account, cluster }: ClusterKey,
  { group, resource }: ResourceType,
  after: ObjectKey | undefined,
  maxRows: number,
  maxBytes: number,
): Promise<ScrubPage> {
  const values = [account, cluster, group, resource, maxRows, maxBytes, after?.namespace, after?.name];
  const [first, ...rows] = (await pool.query<ScrubRow>(SELECT_PAGE, values)).rows;
  return { after: first ?? { namespace: "", name: "" }, rows };
}

/** Clears the checksum of a row, unless the row has changed since it was read. Returns true if it cleared it. */
export async function distrustRow(
  client: ClientBase,
  { account, cluster }: ClusterKey,
  { group, resource }: ResourceType,
  { namespace, name, content, checksum }: ScrubRow,
): Promise<boolean> {
  const values = [account, cluster, group, resource, namespace, name, content, checksum];
  return (await client.query(DISTRUST, values)).rowCount === 1;
}

/** Moves the resource type's cursor behind the key. An empty key is before the first row. */
export async function moveScrubCursor(
  client: ClientBase,
  { account, cluster }: ClusterKey,
  { group, resource }: ResourceType,
  { namespace, name }: ObjectKey,
): Promise<void> {
  await client.query(MOVE_CURSOR, [account, cluster, group, resource, namespace, name]);
}

/** Returns the key that the rows follow as the first row. */
const SELECT_PAGE = `
WITH RECURSIVE page AS (
  SELECT coalesce($7, scrub_namespace) AS namespace, coalesce($8, scrub_name) AS name,
         NULL::text AS content, NULL::bytea AS checksum, 0 AS place, 0::bigint AS bytes
  FROM resource_state
  WHERE account = $1 AND cluster = $2 AND api_group = $3 AND resource = $4
  UNION ALL
  SELECT o.namespace, o.name, o.content, o.checksum, page.place + 1, page.bytes + octet_length(o.content)
  FROM page
  CROSS JOIN LATERAL (
    SELECT namespace, name, content::text AS content, checksum
    FROM kubernetes_object
    WHERE account = $1 AND cluster = $2 AND api_group = $3 AND resource = $4
      AND (namespace, name) > (page.namespace, page.name) AND state = 'present' AND checksum IS NOT NULL
    ORDER BY namespace, name
    LIMIT 1
  ) o
  WHERE page.place < $5 AND page.bytes <= $6
)
SELECT namespace, name, content, checksum FROM page ORDER BY place`;

const DISTRUST = `
UPDATE kubernetes_object SET checksum = NULL
WHERE account = $1 AND cluster = $2 AND api_group = $3 AND resource = $4 AND namespace = $5 AND name = $6
  AND content::text = $7 AND checksum = $8`;

const MOVE_CURSOR = `
UPDATE resource_state SET scrub_namespace = $5, scrub_name = $6
WHERE account = $1 AND cluster = $2 AND api_group = $3 AND resource = $4`;
