import type { ReconciliationRun as RunRow } from "../../../gen/prisma/client.ts";
import type { ReconciliationRun } from "../../../gen/proto/evenkeel/v1/fleet_service_pb.ts";
import type { Database } from "../postgres/database.ts";
import { toRun } from "./runs.ts";

/** The runs of these rows, in their order, with the results of their kinds. */
export async function selectRuns(
  { prisma }: Database,
  account: string,
  rows: readonly RunRow[],
): Promise<ReconciliationRun[]> {
  // The cluster goes along because every key begins with account and cluster.
  const where = {
    account,
    cluster: { in: [...new Set(rows.map(({ cluster }) => cluster))] },
    runId: { in: rows.map(({ id }) => id) },
  };
  const [kinds, counts] = await Promise.all([
    prisma.reconciliationKind.findMany({ where, orderBy: [{ group: "asc" }, { resource: "asc" }] }),
    prisma.reconciliationFinding.groupBy({
      by: ["runId", "group", "resource", "type"],
      where,
      orderBy: { type: "asc" },
      _count: true,
    }),
  ]);
  return rows.map((row) => {
    const isOfRun = ({ runId }: { readonly runId: string }): boolean => runId === row.id;
    const ofRun = counts.filter(isOfRun).map(({ _count, ...count }) => ({ ...count, count: _count }));
    return toRun(row, kinds.filter(isOfRun), ofRun);
  });
}
