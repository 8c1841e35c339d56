import { create } from "@bufbuild/protobuf";
import type { ClientBase, Pool } from "pg";
import type { DeletionSet as SetRow } from "../../../gen/prisma/client.ts";
import {
  type ObjectRef,
  ObjectRefSchema,
  type ResourceType,
  ResourceTypeSchema,
} from "../../../gen/proto/evenkeel/v1/resource_pb.ts";
import type { ClusterKey } from "../postgres/database.ts";
import type { DeletionOrigin } from "./deletion-sets.ts";
import { dropNamespaces, dropResourceTypes } from "./narrow-scope.ts";
import { applyStaged } from "./staged-deletions.ts";

/** Records the decision about a set. */
export async function decideDeletionSet(
  client: ClientBase,
  { account, cluster }: ClusterKey,
  id: string,
  state: "APPLIED" | "REJECTED",
  decidedBy: string,
): Promise<void> {
  await client.query(DECIDE, [account, cluster, id, state, decidedBy]);
  if (state === "REJECTED") {
    await client.query(MARK_REJECTED, [account, cluster, id]);
  }
}

const DECIDE = `
UPDATE deletion_set SET state = $4, decided_at = now(), decided_by = $5
WHERE account = $1 AND cluster = $2 AND id = $3`;

// The mark stays when the set grows and waits for a decision again: no run applies what a caller has rejected.
const MARK_REJECTED = `
UPDATE deletion_set_resource SET needs_approval = TRUE WHERE account = $1 AND cluster = $2 AND set_id = $3`;

/** A deletion set as a decision needs it. */
export interface DecidableSet {
  readonly state: "WITHHELD" | "REJECTED" | "APPLIED" | "SUPERSEDED";
  readonly origin: DeletionOrigin;
  readonly deletions: number;
  readonly resourceTypes: readonly ResourceType[];
  /** Epoch of the cluster. */
  readonly epoch: bigint;
  /** Last run that claimed the deletions, and the time of its request; null for SCOPE. */
  readonly runId: string | null;
  readonly claimedAt: Date | null;
}

/** Finds a set in the caller's transaction, which holds the cluster's lock. */
export async function findDecidable(
  client: ClientBase,
  { account, cluster }: ClusterKey,
  id: string,
): Promise<DecidableSet | undefined> {
  const { rows } = await client.query<DecidableRow>(FIND_DECIDABLE, [account, cluster, id]);
  const [row] = rows;
  return (
    row && {
      state: row.state,
      origin: row.origin,
      deletions: Number(row.deletions),
      resourceTypes: row.groups.map((group, at) =>
        create(ResourceTypeSchema, {
          group,
          resource: row.resources[at] ?? "",
          version: row.versions[at] ?? "",
        }),
      ),
      epoch: BigInt(row.epoch),
      runId: row.run_id,
      claimedAt: row.claimed_at,
    }
  );
}

interface DecidableRow {
  readonly state: DecidableSet["state"];
  readonly origin: DeletionOrigin;
  readonly deletions: string;
  readonly groups: readonly string[];
  readonly resources: readonly string[];
  readonly versions: readonly string[];
  readonly epoch: string;
  readonly run_id: string | null;
  readonly claimed_at: Date | null;
}

const FIND_DECIDABLE = `
SELECT s.state, s.origin, s.run_id, s.claimed_at, c.epoch, sum(r.deletions) AS deletions,
       array_agg(r.api_group ORDER BY r.api_group, r.resource) AS groups,
       array_agg(r.resource ORDER BY r.api_group, r.resource) AS resources,
       array_agg(r.api_version ORDER BY r.api_group, r.resource) AS versions
FROM deletion_set s
JOIN cluster c ON c.account = s.account AND c.name = s.cluster
JOIN deletion_set_resource r ON r.account = s.account AND r.cluster = s.cluster AND r.set_id = s.id
WHERE s.account = $1 AND s.cluster = $2 AND s.id = $3
GROUP BY s.state, s.origin, s.run_id, s.claimed_at, c.epoch`;

/**
 * Deletes the rows of an open set: those that its last run claimed and that were not observed since, or those that the
 * scope has given up.
 */
export async function applyDeletionSet(
  client: ClientBase,
  key: ClusterKey,
  { origin, resourceTypes, epoch, runId, claimedAt }: DecidableSet,
): Promise<void> {
  if (origin === "SCOPE" || runId === null || claimedAt === null) {
    await dropGivenUp(client, key, resourceTypes);
    return;
  }
  const position = { ...key, epoch, sequence: 0n };
  for (const resourceType of resourceTypes) {
    const context = { ...position, ...resourceType, run: { runId, attempt: 0 } };
    // A run that compares now has claims that the caller did not see.
    await applyStaged(client, { context, claimedUntil: claimedAt });
  }
}

/** Drops the excluded ones of these resource types, and the other ones' rows in namespaces that are not read. */
async function dropGivenUp(
  client: ClientBase,
  key: ClusterKey,
  resourceTypes: readonly ResourceType[],
): Promise<void> {
  const { rows } = await client.query<ScopeRow>(FIND_SCOPES, [
    key.account,
    key.cluster,
    resourceTypes.map(({ group }) => group),
    resourceTypes.map(({ resource }) => resource),
  ]);
  const stateOf = ({ group, resource }: ResourceType) =>
    rows.find((row) => row.group === group && row.resource === resource);
  const isExcluded = (resourceType: ResourceType) => stateOf(resourceType)?.availability === "WITHHELD";
  await dropResourceTypes(client, key, resourceTypes.filter(isExcluded));
  for (const resourceType of resourceTypes) {
    const state = stateOf(resourceType);
    if (state !== undefined && !isExcluded(resourceType)) {
      await dropNamespaces(client, key, [resourceType], state.namespaces);
    }
  }
}

interface ScopeRow {
  readonly group: string;
  readonly resource: string;
  readonly availability: string;
  readonly namespaces: readonly string[];
}

const FIND_SCOPES = `
SELECT k.api_group AS "group", k.resource, k.availability, k.namespaces
FROM unnest($3::text[], $4::text[]) AS r(api_group, resource)
JOIN resource_state k ON k.account = $1 AND k.cluster = $2
  AND k.api_group = r.api_group AND k.resource = r.resource`;

/** Returns the first objects that an open set would delete, in key order. */
export async function selectWithheldObjects(
  pool: Pool,
  account: string,
  { cluster, id, origin }: Pick<SetRow, "cluster" | "id" | "origin">,
  limit: number,
): Promise<ObjectRef[]> {
  const query = origin === "SCOPE" ? SELECT_GIVEN_UP : SELECT_STAGED;
  const { rows } = await pool.query<ObjectRow>(query, [account, cluster, id, limit]);
  return rows.map(({ namespace, name, ...resourceType }) =>
    create(ObjectRefSchema, { resourceType, namespace, name }),
  );
}

interface ObjectRow {
  readonly group: string;
  readonly version: string;
  readonly resource: string;
  readonly namespace: string;
  readonly name: string;
}

const OPEN_PARTS = `
  SELECT r.* FROM deletion_set s
  JOIN deletion_set_resource r ON r.account = s.account AND r.cluster = s.cluster AND r.set_id = s.id
  WHERE s.account = $1 AND s.cluster = $2 AND s.id = $3 AND s.state IN ('WITHHELD', 'REJECTED')`;

const SELECT_STAGED = `
SELECT d.api_group AS "group", p.api_version AS version, d.resource, d.namespace, d.name
FROM (${OPEN_PARTS}) p
JOIN staged_deletion d ON d.account = $1 AND d.cluster = $2 AND d.api_group = p.api_group AND d.resource = p.resource
ORDER BY d.api_group, d.resource, d.namespace, d.name
LIMIT $4`;

const SELECT_GIVEN_UP = `
SELECT o.api_group AS "group", p.api_version AS version, o.resource, o.namespace, o.name
FROM (${OPEN_PARTS}) p
JOIN resource_state k ON k.account = $1 AND k.cluster = $2 AND k.api_group = p.api_group AND k.resource = p.resource
JOIN kubernetes_object o ON o.account = $1 AND o.cluster = $2 AND o.api_group = p.api_group AND o.resource = p.resource
WHERE o.state <> 'absent'
  AND (k.availability = 'WITHHELD'
       OR (cardinality(k.namespaces) > 0 AND NOT o.namespace = ANY (k.namespaces)))
ORDER BY o.api_group, o.resource, o.namespace, o.name
LIMIT $4`;
