import type { Pool } from "pg";
import type { ResourceType } from "../../../gen/proto/evenkeel/v1/resource_pb.ts";
import type { ClusterKey } from "../postgres/database.ts";

/**
 * Corrects the numbers of rows of these resource types. Each statement of the ingester changes them by what it wrote,
 * so they are wrong only after writes of others, for example a manual DELETE.
 *
 * It adds the error that one snapshot shows, and not the number itself: changes that commit meanwhile stay counted. A
 * row's state would need the table, and most rows are present, so it counts the other states by their own indexes.
 */
export async function correctCounts(
  pool: Pool,
  { account, cluster }: ClusterKey,
  resourceTypes: readonly ResourceType[],
): Promise<void> {
  await pool.query(CORRECT_COUNTS, [
    account,
    cluster,
    resourceTypes.map(({ group }) => group),
    resourceTypes.map(({ resource }) => resource),
  ]);
}

/** Returns the number of rows of a resource type. */
const countOf = (condition: string): string => `(
    SELECT count(*) FROM kubernetes_object o
    WHERE o.account = $1 AND o.cluster = $2 AND o.api_group = k.api_group AND o.resource = k.resource${condition}
  )`;

const CORRECT_COUNTS = `
WITH counted AS MATERIALIZED (
  SELECT k.api_group, k.resource, k.present_rows, k.quarantined_rows, k.absent_rows,
         ${countOf("")} AS every,
         ${countOf(" AND o.state = 'quarantined'")} AS quarantined,
         ${countOf(" AND o.state = 'absent'")} AS absent
  FROM unnest($3::text[], $4::text[]) AS r(api_group, resource)
  JOIN resource_state k ON k.account = $1 AND k.cluster = $2
    AND k.api_group = r.api_group AND k.resource = r.resource
),
error AS (
  SELECT api_group, resource, every - quarantined - absent - present_rows AS present,
         quarantined - quarantined_rows AS quarantined, absent - absent_rows AS absent
  FROM counted
)
UPDATE resource_state k SET
  present_rows = k.present_rows + error.present,
  quarantined_rows = k.quarantined_rows + error.quarantined,
  absent_rows = k.absent_rows + error.absent
FROM error
WHERE k.account = $1 AND k.cluster = $2 AND k.api_group = error.api_group AND k.resource = error.resource
  AND (error.present, error.quarantined, error.absent) <> (0, 0, 0)`;
