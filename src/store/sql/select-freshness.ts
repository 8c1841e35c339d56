import type { Pool } from "pg";
import type { FleetFreshness } from "../freshness-store.ts";

/** Reads the ages of all clusters. It reads the states of resource types, and no objects. */
export async function selectFreshness(pool: Pool, staleAfterMs: number): Promise<FleetFreshness> {
  const { rows } = await pool.query<FleetFreshness>(SELECT_FRESHNESS, [staleAfterMs]);
  const [row] = rows;
  if (row === undefined) {
    throw new Error("freshness: expected one row, found none");
  }
  return row;
}

// An aggregate over one table, which the planner computes in one pass. A covering index would end the heap-only updates
// of verified_at.
const SELECT_FRESHNESS = `
SELECT count(*)::int AS "clusters",
       (count(*) FILTER (WHERE age_ms > $1::float8))::int AS "staleClusters",
       COALESCE(max(age_ms), 0) AS "oldestAgeMs"
FROM (
  SELECT greatest(extract(epoch FROM now() - COALESCE(k.since, c.created_at)) * 1000, 0)::float8 AS age_ms
  FROM cluster c
  LEFT JOIN (
    SELECT account, cluster,
           CASE WHEN bool_or(verified_at <= now())
             THEN min(CASE WHEN verified_at <= now() THEN verified_at ELSE joined_at END) END AS since
    FROM resource_state
    WHERE availability <> 'NOT_READABLE'
    GROUP BY account, cluster
  ) k ON k.account = c.account AND k.cluster = c.name
  WHERE c.removed_at IS NULL
) ages`;
