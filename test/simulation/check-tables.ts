import { findCountErrors } from "../support/store/count-errors.ts";
import type { Violation } from "./checker.ts";
import type { Fleet } from "./fleet.ts";

/**
 * Checks all tables at the end: no row of a cluster mentions an object of another one, and no finding that counts as a
 * repair belongs to a dry run. The kept numbers of rows are those of the rows.
 */
export async function checkTables(fleet: Fleet): Promise<Violation[]> {
  const at = fleet.time.elapsedMs;
  const found: Violation[] = [];
  const { rows: runs } = await fleet.pool.query<{ account: string; cluster: string; resource: string }>(
    DRY_RUN_REPAIRS,
  );
  for (const { account, cluster, resource } of runs) {
    const message = `${resource}: a dry run recorded a repair`;
    found.push({ invariant: "harmless dry runs", at, cluster: `${account}/${cluster}`, resource, message });
  }
  for (const { account, cluster, resource, kept, counted } of await findCountErrors(fleet.pool)) {
    const message = `${resource}: has the numbers of rows ${kept}, expected ${counted}`;
    found.push({ invariant: "true counts", at, cluster: `${account}/${cluster}`, resource, message });
  }
  for (const table of TABLES) {
    const { rows } = await fleet.pool.query<{ account: string; cluster: string; text: string }>(
      `SELECT account, cluster, t::text AS text FROM ${table} t`,
    );
    for (const { account, cluster, text } of rows) {
      const id = `${account}/${cluster}`;
      const foreign = [...text.matchAll(MARK)].find(([, owner]) => owner !== id);
      if (foreign !== undefined) {
        const message = `${table}: a row of ${id} mentions ${foreign[0]}`;
        found.push({ invariant: "isolation", at, cluster: id, resource: table, message });
      }
    }
  }
  return found;
}

/** The mark of a write, in the contents of all objects. */
const MARK = /((?:account-\d+\/cluster-\d+)|rebuilt)#\d+/g;

const TABLES = [
  "kubernetes_object",
  "reconciliation_run",
  "reconciliation_result",
  "reconciliation_finding",
  "dry_run_finding",
  "resource_state",
  "staged_deletion",
];

const DRY_RUN_REPAIRS = `
SELECT f.account, f.cluster, f.resource FROM reconciliation_finding f
JOIN reconciliation_run r ON r.account = f.account AND r.cluster = f.cluster AND r.id = f.run_id WHERE r.dry_run`;
