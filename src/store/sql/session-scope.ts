import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
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
 * Returns the whole declaration when its last part is there, and otherwise undefined. A part that was delivered before
 * changes nothing. After a lost part the session must end, as after a lost declaration.
 */
export async function collectScope(
  client: ClientBase,
  position: StreamPosition,
  scope: ScopeDeclared,
): Promise<ScopeDeclared | undefined> {
  const { account, cluster, epoch, part } = position;
  if (part === undefined) {
    return scope;
  }
  const key = [account, cluster, epoch, scope.generation, part.index];
  const { rows } = await client.query<{ parts: Buffer }>(ADD_PART, [
    ...key,
    toBinary(ScopeDeclaredSchema, scope),
  ]);
  const [row] = rows;
  if (row === undefined) {
    await client.query(RESTART_WITHOUT_PART, key);
    return undefined;
  }
  // Concatenated messages are one message with the joined lists.
  return part.index + 1 === part.count ? fromBinary(ScopeDeclaredSchema, row.parts) : undefined;
}

const ADD_PART = `
UPDATE agent_session SET
  scope_parts = CASE WHEN $5::int = 0 THEN $6::bytea ELSE scope_parts || $6::bytea END,
  scope_part_count = $5::int + 1,
  scope_part_generation = $4
WHERE account = $1 AND cluster = $2 AND epoch = $3 AND scope_generation < $4
  AND CASE WHEN $5::int = 0
        THEN scope_part_generation < $4
        ELSE scope_part_generation = $4 AND scope_part_count = $5::int
      END
RETURNING scope_parts AS parts`;

const RESTART_WITHOUT_PART = `
UPDATE agent_session SET
  restart_reason = COALESCE(restart_reason, 'scope: a part of generation ' || $4::bigint || ' was lost')
WHERE account = $1 AND cluster = $2 AND epoch = $3 AND scope_generation < $4
  AND (scope_part_generation < $4 OR (scope_part_generation = $4 AND scope_part_count < $5::int))`;

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
  scope = $4, scope_generation = $5, scope_sequence = $6, scope_parts = NULL,
  restart_reason = CASE
    WHEN $5::bigint > scope_generation + 1
      THEN 'scope: generation ' || (scope_generation + 1) || ' was lost'
    ELSE restart_reason
  END
WHERE account = $1 AND cluster = $2 AND epoch = $3 AND scope_generation < $5`;
