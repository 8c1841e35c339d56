import { create, toBinary } from "@bufbuild/protobuf";
import type { ClientBase } from "pg";
import { type ResourceType, ResourceTypeSchema } from "../../../gen/proto/evenkeel/v1/resource_pb.ts";
import { type ScopeDeclared, ScopeDeclaredSchema } from "../../../gen/proto/evenkeel/v1/scope_pb.ts";
import type { ClusterKey } from "../postgres/database.ts";
import { endRunWhenComplete } from "./end-run.ts";

/**
 * Adds every resource type of the cluster's scope to the run. Returns those that are not compared yet, the one that was
 * verified longest ago first: an earlier attempt may have ended some. A resource type that is undecided or withheld
 * is not compared; its result is its failure. The run names the groups that did not answer, because their resource
 * types may be unknown, and the warnings about the agent's configuration. A run without a resource type to compare
 * ends here.
 */
export async function addResults(
  client: ClientBase,
  { account, cluster }: ClusterKey,
  runId: string,
  scope: ScopeDeclared,
): Promise<ResourceType[]> {
  await client.query(ADD, [account, cluster, runId]);
  await client.query(SET_NOTES, [account, cluster, runId, encodeNotes(scope)]);
  const { rows } = await client.query<{ group: string; resource: string; version: string }>(PENDING, [
    account,
    cluster,
    runId,
  ]);
  await endRunWhenComplete(client, { account, cluster }, runId);
  return rows.map((row) => create(ResourceTypeSchema, row));
}

const ADD = `
INSERT INTO reconciliation_result
  (account, cluster, run_id, api_group, resource, api_version, ended_at, failure_reason, failure_message,
   withheld)
SELECT account, cluster, $3, api_group, resource, api_version,
       CASE WHEN availability IN ('UNDECIDED', 'WITHHELD') THEN now() END,
       CASE WHEN availability IN ('UNDECIDED', 'WITHHELD') THEN failure_reason END,
       CASE WHEN availability IN ('UNDECIDED', 'WITHHELD') THEN failure_message END,
       CASE WHEN availability = 'WITHHELD' THEN COALESCE((
         SELECT r.deletions FROM deletion_set s
         JOIN deletion_set_resource r ON r.account = s.account AND r.cluster = s.cluster AND r.set_id = s.id
         WHERE s.account = $1 AND s.cluster = $2 AND s.origin = 'SCOPE' AND s.state IN ('WITHHELD', 'REJECTED')
           AND r.api_group = k.api_group AND r.resource = k.resource), 0) ELSE 0 END
FROM resource_state k
WHERE account = $1 AND cluster = $2
ON CONFLICT (account, cluster, run_id, api_group, resource) DO UPDATE SET api_version = EXCLUDED.api_version`;

const SET_NOTES = `
UPDATE reconciliation_run SET scope_notes = $4 WHERE account = $1 AND cluster = $2 AND id = $3`;

/** Returns what the run stores of the scope; null if every group answered, and there is no warning. */
function encodeNotes({ undecided, warnings }: ScopeDeclared): Uint8Array | null {
  return undecided.length === 0 && warnings.length === 0
    ? null
    : toBinary(ScopeDeclaredSchema, create(ScopeDeclaredSchema, { undecided, warnings }));
}

const PENDING = `
SELECT r.api_group AS "group", r.resource, r.api_version AS version
FROM reconciliation_result r
JOIN resource_state k ON k.account = r.account AND k.cluster = r.cluster
  AND k.api_group = r.api_group AND k.resource = r.resource
WHERE r.account = $1 AND r.cluster = $2 AND r.run_id = $3 AND r.ended_at IS NULL
ORDER BY k.verified_at NULLS FIRST, r.api_group, r.resource`;
