import type { Cluster as ClusterRow } from "../../../gen/prisma/client.ts";
import type { Cluster } from "../../../gen/proto/evenkeel/v1/fleet_service_pb.ts";
import type { Database } from "../postgres/database.ts";
import { type ObjectCounts, toCluster, toClusterKind } from "./clusters.ts";

/** The clusters of these rows, without kinds. A session counts as open when it was kept since `seenSince`. */
export async function selectClusters(
  { prisma }: Database,
  account: string,
  rows: readonly ClusterRow[],
  seenSince: Date,
): Promise<Map<string, Cluster>> {
  const cluster = { in: rows.map(({ name }) => name) };
  const [sessions, states, counts] = await Promise.all([
    prisma.agentSession.findMany({
      where: { account, OR: rows.map(({ name, epoch }) => ({ cluster: name, epoch })) },
    }),
    prisma.kindState.findMany({ where: { account, cluster }, select: { cluster: true, verifiedAt: true } }),
    prisma.kubernetesObject.groupBy({
      by: ["cluster", "state"],
      where: { account, cluster, state: { not: "absent" } },
      _count: true,
    }),
  ]);
  const entries = rows.map((row): [string, Cluster] => {
    const session = sessions.find((each) => each.cluster === row.name);
    const connected = session !== undefined && session.closedAt === null && session.seenAt > seenSince;
    const ofCluster = <T extends { readonly cluster: string }>(all: readonly T[]): T[] =>
      all.filter((each) => each.cluster === row.name);
    const parts = { row, session, connected, counts: toCounts(ofCluster(counts)), states: ofCluster(states) };
    return [row.name, toCluster(parts)];
  });
  return new Map(entries);
}

/** The kinds in scope of a cluster, by group and resource. */
export async function selectClusterKinds({ prisma }: Database, account: string, cluster: string) {
  const [states, counts] = await Promise.all([
    prisma.kindState.findMany({
      where: { account, cluster },
      orderBy: [{ group: "asc" }, { resource: "asc" }],
    }),
    prisma.kubernetesObject.groupBy({
      by: ["group", "resource", "state"],
      where: { account, cluster, state: { not: "absent" } },
      _count: true,
    }),
  ]);
  return states.map((state) => {
    const isOfKind = (count: { readonly group: string; readonly resource: string }): boolean =>
      count.group === state.group && count.resource === state.resource;
    return toClusterKind(state, toCounts(counts.filter(isOfKind)));
  });
}

function toCounts(counts: readonly { readonly state: string; readonly _count: number }[]): ObjectCounts {
  const countOf = (state: string): number => counts.find((count) => count.state === state)?._count ?? 0;
  return { present: countOf("present"), quarantined: countOf("quarantined") };
}
