/** Name of the cluster in each database, and in each kubeconfig. */
export const CLUSTER = "bench";

/** Returns a kubeconfig of an API server without authentication, as JSON. */
export function createKubeconfig(server: string): string {
  return JSON.stringify({
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name: CLUSTER, cluster: { server, "insecure-skip-tls-verify": true } }],
    users: [{ name: CLUSTER, user: {} }],
    contexts: [{ name: CLUSTER, context: { cluster: CLUSTER, user: CLUSTER } }],
    "current-context": CLUSTER,
  });
}
