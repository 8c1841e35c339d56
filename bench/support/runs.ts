import type { Program } from "../../test/support/e2e/programs.ts";
import { queryRows } from "./query-rows.ts";
import { until } from "./until.ts";

/** A reconciliation run that has ended. */
export interface EndedRun {
  readonly durationMs: number;
  readonly inventoryBytes: number;
  readonly repairBytes: number;
}

interface RunRow {
  readonly state: string;
  readonly ms: string;
  readonly inventory_bytes: string;
  readonly repair_bytes: string;
}

/**
 * Waits for the end of run number `count`, and returns it.
 *
 * @throws Error if it did not verify everything
 */
export async function waitForRun(databaseUrl: string, count: number, agent: Program): Promise<EndedRun> {
  let rows: RunRow[] = [];
  await until(
    `run ${count}`,
    async () => {
      rows = await queryRows<RunRow>(databaseUrl, SELECT_ENDED);
      return rows.length >= count;
    },
    agent,
  );
  const row = rows[count - 1];
  if (row?.state !== "SUCCEEDED") {
    throw new Error(`run: ended as ${row?.state}:\n${agent.stderr().slice(-4_000)}`);
  }
  return {
    durationMs: Number(row.ms),
    inventoryBytes: Number(row.inventory_bytes),
    repairBytes: Number(row.repair_bytes),
  };
}

const SELECT_ENDED = `
SELECT state, extract(epoch FROM ended_at - started_at) * 1000 AS ms, inventory_bytes, repair_bytes
FROM reconciliation_run WHERE ended_at IS NOT NULL ORDER BY started_at`;
