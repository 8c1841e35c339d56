import { create } from "@bufbuild/protobuf";
import type { ClientBase } from "pg";
import { type ResourceType, ResourceTypeSchema } from "../../../gen/proto/evenkeel/v1/resource_pb.ts";
import type { ClusterKey } from "../postgres/database.ts";
import { endRunWhenComplete } from "./end-run.ts";

/**
 * Puts every kind of the cluster's scope into the run, and returns those that are still to be compared: a kind
 * that an earlier attempt brought to its end is done. A run without kinds ends here.
 */
export async function addResults(
  client: ClientBase,
  { account, cluster }: ClusterKey,
  runId: string,
  now: Date,
): Promise<ResourceType[]> {
  await client.query(ADD, [account, cluster, runId]);
  const { rows } = await client.query<{ group: string; resource: string; version: string }>(PENDING, [
    account,
    cluster,
    runId,
  ]);
  await endRunWhenComplete(client, { account, cluster }, runId, now);
  return rows.map((row) => create(ResourceTypeSchema, row));
}

const ADD = `
INSERT INTO reconciliation_kind (account, cluster, run_id, api_group, resource, version)
SELECT account, cluster, $3, api_group, resource, version FROM kind_state
WHERE account = $1 AND cluster = $2
ON CONFLICT (account, cluster, run_id, api_group, resource) DO UPDATE SET version = EXCLUDED.version`;

const PENDING = `
SELECT api_group AS "group", resource, version FROM reconciliation_kind
WHERE account = $1 AND cluster = $2 AND run_id = $3 AND ended_at IS NULL
ORDER BY api_group, resource`;
