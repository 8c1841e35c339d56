import { create } from "@bufbuild/protobuf";
import { ResourceTypeSchema } from "../../gen/proto/evenkeel/v1/resource_pb.ts";
import { TerminalError } from "../lib/errors.ts";
import { getObject } from "./get.ts";
import type { KubeTransport } from "./kube.ts";
import { KubeRefusedError, KubeUnavailableError } from "./kube-error.ts";
import { isRecord } from "./kube-object.ts";
import { getJson, getText } from "./read-response.ts";

/** Returns the version of the API server, such as "v1.34.4"; empty if the response has none. */
export async function getServerVersion(signal: AbortSignal, transport: KubeTransport): Promise<string> {
  const response = await getJson(signal, transport, { path: "/version" });
  const version = isRecord(response) ? response["gitVersion"] : undefined;
  return typeof version === "string" ? version : "";
}

/** Statuses of a server that is up but does not show its readiness to this client. */
const NO_STATEMENT: ReadonlySet<number> = new Set([401, 403, 404]);

/**
 * Returns true unless the API server reports that it is not ready (`GET /readyz`), or does not answer. A server that
 * starts already answers discovery, with a part of its groups. Readiness that this client may not read is no evidence
 * against the server.
 */
export async function isReady(signal: AbortSignal, transport: KubeTransport): Promise<boolean> {
  try {
    await getText(signal, transport, { path: "/readyz" });
    return true;
  } catch (error) {
    signal.throwIfAborted();
    const isAnswer = error instanceof KubeRefusedError || error instanceof KubeUnavailableError;
    return isAnswer && NO_STATEMENT.has(error.status);
  }
}

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
