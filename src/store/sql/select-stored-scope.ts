import { create } from "@bufbuild/protobuf";
import type { ClientBase } from "pg";
import { type ResourceType, ResourceTypeSchema } from "../../../gen/proto/evenkeel/v1/resource_pb.ts";
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
