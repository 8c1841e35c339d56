import { create, toBinary } from "@bufbuild/protobuf";
import type { ClientBase } from "pg";
import { type ResourceType, ResourceTypeSchema } from "../../../gen/proto/evenkeel/v1/resource_pb.ts";
import { type ScopeDeclared, ScopeDeclaredSchema } from "../../../gen/proto/evenkeel/v1/scope_pb.ts";
import type { StreamPosition } from "../ingest-store.ts";
import type { ClusterKey } from "../postgres/database.ts";

/** Returns the resource types in the scope of a cluster, by group and resource. */
export async function selectStoredScope(
  client: ClientBase,
  { account, cluster }: ClusterKey,
): Promise<ResourceType[]> {
  const { rows } = await client.query<{ group: string; version: string; resource: string }>(SELECT_SCOPE, [
    account,
    cluster,
  ]);
  return rows.map((row) => create(ResourceTypeSchema, row));
}

const SELECT_SCOPE = `
SELECT api_group AS "group", api_version AS version, resource FROM resource_state
WHERE account = $1 AND cluster = $2
ORDER BY api_group, resource`;

/**
 * Stores the scope in the session, so that a later attempt of a run restores resource types whose state was deleted.
 * Returns false if the session has this scope or a later one.
 *
 * A skipped generation was lost, with unknown contents. So the session must end, and the next one declares again.
 */
export async function setSessionScope(
  client: ClientBase,
  { account, cluster, epoch, sequence }: StreamPosition,
  scope: ScopeDeclared,
): Promise<boolean> {
  const { rowCount } = await client.query(SET_SCOPE, [
    account,
    cluster,
    epoch,
    toBinary(ScopeDeclaredSchema, scope),
    scope.generation,
    sequence,
  ]);
  return rowCount === 1;
}

const SET_SCOPE = `
UPDATE agent_session SET
  scope = $4, scope_generation = $5, scope_sequence = $6,
  restart_reason = CASE
    WHEN $5::bigint > scope_generation + 1
      THEN 'scope: generation ' || (scope_generation + 1) || ' was lost'
    ELSE restart_reason
  END
WHERE account = $1 AND cluster = $2 AND epoch = $3 AND scope_generation < $5`;
