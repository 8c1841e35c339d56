import { create } from "@bufbuild/protobuf";
import { ResourceTypeSchema } from "../../gen/proto/evenkeel/v1/resource_pb.ts";
import { TerminalError } from "../lib/errors.ts";
import { getObject } from "./get.ts";
import type { KubeTransport } from "./kube.ts";

const NAMESPACES = create(ResourceTypeSchema, { version: "v1", resource: "namespaces" });

/** The requests of this process no longer reach the cluster that they reached before. */
export class ClusterChangedError extends TerminalError {
  override readonly name = "ClusterChangedError";
  readonly reason = "ClusterChanged";
}

/**
 * The uid of the `kube-system` namespace: the identity of a cluster, since nothing can delete that namespace.
 */
export async function getClusterUid(signal: AbortSignal, transport: KubeTransport): Promise<string> {
  const namespace = await getObject(signal, transport, NAMESPACES, { namespace: "", name: "kube-system" });
  if (namespace === undefined || namespace.metadata.uid === "") {
    throw new TerminalError("the cluster has no kube-system namespace, so it cannot be told from others");
  }
  return namespace.metadata.uid;
}

/**
 * Throws {@link ClusterChangedError} when the requests reach another cluster than `uid`: a kubeconfig or a
 * load balancer turned. What another cluster lacks says nothing about this one.
 */
export async function assertSameCluster(
  signal: AbortSignal,
  transport: KubeTransport,
  uid: string,
): Promise<void> {
  const found = await getClusterUid(signal, transport);
  if (found !== uid) {
    throw new ClusterChangedError(`expected the cluster with kube-system uid ${uid}, found ${found}`);
  }
}
