import { create } from "@bufbuild/protobuf";
import type { ClientBase } from "pg";
import { type ResourceType, ResourceTypeSchema } from "../../../gen/proto/evenkeel/v1/resource_pb.ts";
import type { ClusterKey } from "../postgres/database.ts";
import { endRunWhenComplete } from "./end-run.ts";

/**
 * Adds every resource type of the cluster's scope to the run, and returns those that are not compared yet: an
 * earlier attempt may have ended some. A run without resource types ends here.
 */
export async function addResults(
  client: ClientBase,
  { account, cluster }: ClusterKey,
  runId: string,
): Promise<ResourceType[]> {
  await client.query(ADD, [account, cluster, runId]);
  const { rows } = await client.query<{ group: string; resource: string; version: string }>(PENDING, [
    account,
    cluster,
    runId,
  ]);
  await endRunWhenComplete(client, { account, cluster }, runId);
  return rows.map((row) => create(ResourceTypeSchema, row));
}

const ADD = `
INSERT INTO reconciliation_result (account, cluster, run_id, api_group, resource, api_version)
SELECT account, cluster, $3, api_group, resource, api_version FROM resource_state
WHERE account = $1 AND cluster = $2
ON CONFLICT (account, cluster, run_id, api_group, resource) DO UPDATE SET api_version = EXCLUDED.api_version`;

const PENDING = `
SELECT api_group AS "group", resource, api_version AS version FROM reconciliation_result
WHERE account = $1 AND cluster = $2 AND run_id = $3 AND ended_at IS NULL
ORDER BY api_group, resource`;
