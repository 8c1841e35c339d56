import type { Pool } from "pg";

/** A resource type whose kept numbers of rows differ from its rows. */
export interface CountError {
  readonly account: string;
  readonly cluster: string;
  readonly resource: string;
  /** Present, quarantined and absent rows, as `resource_state` has them. */
  readonly kept: readonly string[];
  /** The same numbers, counted. */
  readonly counted: readonly string[];
}

/** Counts the rows of all resource types in scope, and returns those whose kept numbers differ. */
export async function findCountErrors(pool: Pick<Pool, "query">): Promise<CountError[]> {
  const { rows } = await pool.query<CountError>(FIND_COUNT_ERRORS);
  return rows;
}

const FIND_COUNT_ERRORS = `
SELECT * FROM (
  SELECT account, cluster, k.api_group || '/' || k.resource AS resource,
         ARRAY[k.present_rows, k.quarantined_rows, k.absent_rows] AS kept,
         ARRAY[count(*) FILTER (WHERE o.state = 'present'), count(*) FILTER (WHERE o.state = 'quarantined'),
               count(*) FILTER (WHERE o.state = 'absent')] AS counted
  FROM resource_state k
  LEFT JOIN kubernetes_object o USING (account, cluster, api_group, resource)
  GROUP BY account, cluster, k.api_group, k.resource, k.present_rows, k.quarantined_rows, k.absent_rows
) counts WHERE kept <> counted
ORDER BY account, cluster, resource`;
