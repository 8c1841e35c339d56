import { create } from "@bufbuild/protobuf";
import { ResourceTypeSchema } from "../../gen/proto/evenkeel/v1/resource_pb.ts";
import { TerminalError } from "../lib/errors.ts";
import { getObject } from "./get.ts";
import type { KubeTransport } from "./kube.ts";

const NAMESPACES = create(ResourceTypeSchema, { version: "v1", resource: "namespaces" });

/** Reports that the requests of this process now reach another cluster than before. */
export class ClusterChangedError extends TerminalError {
  override readonly name = "ClusterChangedError";
  readonly reason = "ClusterChanged";
}

/**
 * Returns the uid of the `kube-system` namespace. It identifies a cluster, because nothing can delete that
 * namespace.
 *
 * @throws TerminalError if the cluster has no such namespace.
 */
export async function getClusterUid(signal: AbortSignal, transport: KubeTransport): Promise<string> {
  const namespace = await getObject(signal, transport, NAMESPACES, { namespace: "", name: "kube-system" });
  const uid = namespace?.metadata.uid ?? "";
  if (uid === "") {
    throw new TerminalError("the cluster has no kube-system namespace, whose uid identifies a cluster");
  }
  return uid;
}

/**
 * Asserts that the requests still reach the cluster with this uid. A changed kubeconfig or load balancer can
 * send them to another one, and the absence of objects there proves nothing about this cluster.
 *
 * @throws ClusterChangedError if the requests reach another cluster.
 */
export async function assertSameCluster(
  signal: AbortSignal,
  transport: KubeTransport,
  uid: string,
): Promise<void> {
  const found = await getClusterUid(signal, transport);
  if (found !== uid) {
    throw new ClusterChangedError(
      `the API server has changed: expected the cluster with kube-system uid ${uid}, found ${found}`,
    );
  }
}
