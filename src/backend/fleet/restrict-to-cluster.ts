import type { ClusterSelection, FleetStore, Page } from "../../store/fleet-store.ts";

/** The reads of single calls. Watches have a selection of clusters of their own. */
export type ReadStore = Omit<FleetStore, "listOpenRuns">;

/**
 * Restricts a store to one cluster of the account: that cluster, its objects and its runs. Other clusters
 * appear not to exist.
 */
export function restrictToCluster(store: ReadStore, own: string): ReadStore {
  const getRun: ReadStore["getRun"] = async (signal, account, id) => {
    const run = await store.getRun(signal, account, id);
    return run?.cluster === own ? run : undefined;
  };
  return {
    async listClusters(signal, account, { after, namePrefix = "" }) {
      const cluster =
        after === undefined && own.startsWith(namePrefix)
          ? await store.getCluster(signal, account, own)
          : undefined;
      return cluster === undefined ? nothing() : { items: [{ ...cluster, resources: [] }], next: undefined };
    },
    getCluster: async (signal, account, name) =>
      name === own ? await store.getCluster(signal, account, name) : undefined,
    listObjects: async (signal, account, query) =>
      hasOwn(query, own)
        ? await store.listObjects(signal, account, { ...query, clusters: [own] })
        : nothing(),
    getObject: async (signal, account, cluster, ref) =>
      cluster === own ? await store.getObject(signal, account, cluster, ref) : undefined,
    listRuns: async (signal, account, query) =>
      hasOwn(query, own) ? await store.listRuns(signal, account, { ...query, clusters: [own] }) : nothing(),
    getRun,
    async listFindings(signal, account, runId, page) {
      const run = await getRun(signal, account, runId);
      return run === undefined ? nothing() : await store.listFindings(signal, account, runId, page);
    },
  };
}

/** True if a query selects the own cluster, by name or because it names no cluster. */
function hasOwn({ clusters }: ClusterSelection, own: string): boolean {
  return clusters === undefined || clusters.includes(own);
}

function nothing<T>(): Page<T> {
  return { items: [], next: undefined };
}
