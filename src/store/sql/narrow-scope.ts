import { create } from "@bufbuild/protobuf";
import type { ClientBase } from "pg";
import { type ResourceType, ResourceTypeSchema } from "../../../gen/proto/evenkeel/v1/resource_pb.ts";
import { RemovalReason, type ScopeDeclared } from "../../../gen/proto/evenkeel/v1/scope_pb.ts";
import { type DeletionGuard, mustWithhold } from "../../domain/reconciliation/deletion-guard.ts";
import type { StreamPosition } from "../ingest-store.ts";
import type { ClusterKey } from "../postgres/database.ts";
import { releaseDeletions, type WithheldDeletions, withholdDeletions } from "./deletion-sets.ts";
import { toSetId, toShare, toWithheld, toWithheldMessage, type Withheld } from "./guard-deletions.ts";

/**
 * Removes the rows that the scope gives up: those of removed resource types, and those of namespaces that are no longer
 * read. The resource types lose their low watermarks too, so that the rows return when the scope widens.
 *
 * A resource type that is proved to be not served any more loses its rows at once. A narrower configuration may be a
 * typing error, which a second declaration would only repeat. Above the limits of the guard, counted over the whole
 * declaration, its losses become a deletion set, and all of these rows stay until the set is decided.
 */
export async function narrowScope(
  client: ClientBase,
  position: StreamPosition,
  scope: ScopeDeclared,
  guard: DeletionGuard,
): Promise<Withheld | undefined> {
  const gone = removedBy(scope, RemovalReason.NOT_SERVED);
  await dropResourceTypes(client, position, gone);
  await releaseDeletions(client, position, "SCOPE", gone, "SUPERSEDED");
  const losses = await findLosses(client, position, scope);
  const fresh = losses.filter(({ isHeld }) => !isHeld);
  const deletions = fresh.reduce((sum, loss) => sum + loss.deletions, 0);
  const rows = deletions > guard.maxDeletions ? await countAllRows(client, position) : deletions;
  const isWithheld = mustWithhold({ deletions, created: 0, rows }, guard);
  const withheld = losses.filter((loss) => loss.deletions > 0 && (loss.isHeld || isWithheld));
  const applied = losses.filter((loss) => !withheld.includes(loss));
  await dropResourceTypes(client, position, typesOf(applied.filter(({ isExcluded }) => isExcluded)));
  await dropNamespaces(
    client,
    position,
    typesOf(applied.filter(({ isExcluded }) => !isExcluded)),
    scope.namespaces,
  );
  const result = withheld.length > 0 ? await withhold(client, position, withheld) : undefined;
  const kept = new Set(withheld);
  const released = losses.filter((loss) => loss.isHeld && !kept.has(loss));
  await releaseDeletions(client, position, "SCOPE", typesOf(released), "SUPERSEDED");
  return result;
}

/**
 * Returns the condition that an array has elements that another one lacks. It hashes them: the operators of arrays
 * compare each pair, which takes a minute for 5,000 namespaces of 50 resource types.
 */
export function hasOthers(array: string, others: string): string {
  return `(${array} <> ${others}
    AND EXISTS (SELECT unnest(${array}) EXCEPT SELECT unnest(${others})))`;
}

/** Rows of a resource type that the configuration gives up. */
interface Loss {
  readonly resourceType: ResourceType;
  readonly rows: number;
  readonly deletions: number;
  /** True if the resource type is excluded; false if some of its namespaces are not read any more. */
  readonly isExcluded: boolean;
  /** True if an open deletion set has them. */
  readonly isHeld: boolean;
}

function removedBy({ removed }: ScopeDeclared, reason: RemovalReason): ResourceType[] {
  return removed.flatMap((each) => (each.reason === reason ? (each.resourceType ?? []) : []));
}

function typesOf(losses: readonly Loss[]): ResourceType[] {
  return losses.map(({ resourceType }) => resourceType);
}

/** Finds the resource types that lose rows, and those of the open set, which may not lose rows any more. */
async function findLosses(
  client: ClientBase,
  { account, cluster }: ClusterKey,
  scope: ScopeDeclared,
): Promise<Loss[]> {
  const excluded = removedBy(scope, RemovalReason.EXCLUDED);
  const declared = scope.resources.flatMap(({ resourceType, namespaced }) =>
    resourceType !== undefined && namespaced ? [resourceType] : [],
  );
  const { rows } = await client.query<LossRow>(FIND_LOSSES, [
    account,
    cluster,
    excluded.map(({ group }) => group),
    excluded.map(({ resource }) => resource),
    declared.map(({ group }) => group),
    declared.map(({ resource }) => resource),
    scope.namespaces,
  ]);
  return rows.map((row) => ({
    resourceType: create(ResourceTypeSchema, row),
    rows: row.rows,
    deletions: row.deletions,
    isExcluded: row.is_excluded,
    isHeld: row.is_held,
  }));
}

interface LossRow {
  readonly group: string;
  readonly resource: string;
  readonly version: string;
  readonly rows: number;
  readonly deletions: number;
  readonly is_excluded: boolean;
  readonly is_held: boolean;
}

// A resource type that the open set has and that this declaration does not mention keeps its state.
const FIND_LOSSES = `
WITH held AS (
  SELECT r.api_group, r.resource
  FROM deletion_set s
  JOIN deletion_set_resource r ON r.account = s.account AND r.cluster = s.cluster AND r.set_id = s.id
  WHERE s.account = $1 AND s.cluster = $2 AND s.origin = 'SCOPE' AND s.state IN ('WITHHELD', 'REJECTED')
),
excluded AS (
  SELECT * FROM unnest($3::text[], $4::text[]) AS e(api_group, resource)
),
declared AS (
  SELECT * FROM unnest($5::text[], $6::text[]) AS d(api_group, resource)
),
loss AS (
  SELECT k.api_group, k.resource, k.api_version, e.resource IS NOT NULL AS is_excluded,
         h.resource IS NOT NULL AS is_held
  FROM resource_state k
  LEFT JOIN held h USING (api_group, resource)
  LEFT JOIN excluded e USING (api_group, resource)
  LEFT JOIN declared d USING (api_group, resource)
  WHERE k.account = $1 AND k.cluster = $2
    AND (e.resource IS NOT NULL
         OR (d.resource IS NOT NULL
             AND (h.resource IS NOT NULL
                  OR (cardinality($7::text[]) > 0
                      AND (cardinality(k.namespaces) = 0 OR ${hasOthers("k.namespaces", "$7::text[]")})))))
)
SELECT loss.api_group AS "group", loss.resource, loss.api_version AS version, loss.is_excluded, loss.is_held,
       count(o.name)::int AS rows,
       (count(o.name) FILTER (WHERE loss.is_excluded
         OR (cardinality($7::text[]) > 0 AND NOT o.namespace = ANY ($7::text[]))))::int AS deletions
FROM loss
LEFT JOIN kubernetes_object o ON o.account = $1 AND o.cluster = $2
  AND o.api_group = loss.api_group AND o.resource = loss.resource AND o.state <> 'absent'
GROUP BY loss.api_group, loss.resource, loss.api_version, loss.is_excluded, loss.is_held
ORDER BY loss.api_group, loss.resource`;

async function withhold(
  client: ClientBase,
  position: StreamPosition,
  losses: readonly Loss[],
): Promise<Withheld> {
  const entries = losses.map((loss): WithheldDeletions & Loss => ({
    ...loss,
    detail: loss.isExcluded
      ? `the agent's configuration excludes the resource type, which has ${loss.rows} rows`
      : `${toShare(loss.deletions, loss.rows)} are in namespaces that the agent's configuration does not read`,
  }));
  const claim = { origin: "SCOPE", newId: toSetId(position, "SCOPE") } as const;
  const setId = await withholdDeletions(client, position, claim, entries);
  const excluded = entries.filter(({ isExcluded }) => isExcluded);
  await client.query(MARK_WITHHELD, [
    position.account,
    position.cluster,
    excluded.map(({ resourceType }) => resourceType.group),
    excluded.map(({ resourceType }) => resourceType.resource),
    excluded.map(({ detail }) => toWithheldMessage(setId, detail)),
  ]);
  const deletions = entries.reduce((sum, entry) => sum + entry.deletions, 0);
  return toWithheld(
    setId,
    deletions,
    `${deletions} rows of ${entries.length} resource types are not read any more`,
  );
}

const MARK_WITHHELD = `
UPDATE resource_state k SET
  availability = 'WITHHELD', failure_reason = 'DeletesWithheld', failure_message = e.message
FROM unnest($3::text[], $4::text[], $5::text[]) AS e(api_group, resource, message)
WHERE k.account = $1 AND k.cluster = $2 AND k.api_group = e.api_group AND k.resource = e.resource`;

/** Removes resource types with their rows, tombstones and withheld deletions of runs. */
export async function dropResourceTypes(
  client: ClientBase,
  { account, cluster }: ClusterKey,
  resourceTypes: readonly ResourceType[],
): Promise<void> {
  if (resourceTypes.length > 0) {
    const groups = resourceTypes.map(({ group }) => group);
    const resources = resourceTypes.map(({ resource }) => resource);
    await client.query(DROP_RESOURCE_TYPES, [account, cluster, groups, resources]);
    await releaseDeletions(client, { account, cluster }, "RUN", resourceTypes, "SUPERSEDED");
  }
}

const DROP_RESOURCE_TYPES = `
WITH dropped AS (
  SELECT * FROM unnest($3::text[], $4::text[]) AS r(api_group, resource)
),
states AS (
  DELETE FROM resource_state k USING dropped r
  WHERE k.account = $1 AND k.cluster = $2 AND k.api_group = r.api_group AND k.resource = r.resource
),
staged AS (
  DELETE FROM staged_deletion d USING dropped r
  WHERE d.account = $1 AND d.cluster = $2 AND d.api_group = r.api_group AND d.resource = r.resource
)
DELETE FROM kubernetes_object o USING dropped r
WHERE o.account = $1 AND o.cluster = $2 AND o.api_group = r.api_group AND o.resource = r.resource`;

/** Removes the rows and tombstones of resource types outside these namespaces. */
export async function dropNamespaces(
  client: ClientBase,
  { account, cluster }: ClusterKey,
  resourceTypes: readonly ResourceType[],
  namespaces: readonly string[],
): Promise<void> {
  if (resourceTypes.length > 0 && namespaces.length > 0) {
    const groups = resourceTypes.map(({ group }) => group);
    const resources = resourceTypes.map(({ resource }) => resource);
    await client.query(DROP_NAMESPACES, [account, cluster, groups, resources, namespaces]);
  }
}

const DROP_NAMESPACES = `
WITH narrowed AS (
  SELECT * FROM unnest($3::text[], $4::text[]) AS r(api_group, resource)
),
dropped AS (
  DELETE FROM kubernetes_object o USING narrowed n
  WHERE o.account = $1 AND o.cluster = $2 AND o.api_group = n.api_group AND o.resource = n.resource
    AND NOT o.namespace = ANY ($5::text[])
  RETURNING o.api_group, o.resource, o.state
),
counted AS (
  SELECT n.api_group, n.resource,
         count(*) FILTER (WHERE d.state = 'present') AS present,
         count(*) FILTER (WHERE d.state = 'quarantined') AS quarantined,
         count(*) FILTER (WHERE d.state = 'absent') AS absent
  FROM narrowed n LEFT JOIN dropped d USING (api_group, resource)
  GROUP BY n.api_group, n.resource
)
UPDATE resource_state k SET
  low_watermark = 0, purged_version = 0, present_rows = k.present_rows - c.present,
  quarantined_rows = k.quarantined_rows - c.quarantined, absent_rows = k.absent_rows - c.absent
FROM counted c
WHERE k.account = $1 AND k.cluster = $2 AND k.api_group = c.api_group AND k.resource = c.resource`;

async function countAllRows(client: ClientBase, { account, cluster }: ClusterKey): Promise<number> {
  const { rows } = await client.query<{ count: number }>(COUNT_ALL_ROWS, [account, cluster]);
  return rows[0]?.count ?? 0;
}

const COUNT_ALL_ROWS = `
SELECT count(*)::int AS count FROM kubernetes_object WHERE account = $1 AND cluster = $2 AND state <> 'absent'`;
