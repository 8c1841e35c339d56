import { drawIndex, drawOne, drawOneOf, drawSuffix } from "./random-pick.ts";
import { type SimulatedCluster, toTimestamp } from "./simulated-cluster.ts";
import type { JsonValue, SimulatedObject } from "./simulated-object.ts";
import {
  type App,
  deploymentObject,
  nodeStatus,
  podObject,
  replicaSetObject,
  replicaStatus,
  runningStatus,
} from "./workload-objects.ts";

/** A running application. Each rollout replaces its ReplicaSet. */
export interface RunningApp {
  app: App;
  replicaSet: SimulatedObject;
  version: number;
}

/** Names of the cluster's nodes. */
export const NODES: readonly string[] = ["node-0", "node-1", "node-2", "node-3", "node-4", "node-5"];

/** Returns the steps of a rollout: a new ReplicaSet, each pod, then the deletion of the old ReplicaSet. */
export function rollOut(cluster: SimulatedCluster, target: RunningApp): (() => void)[] {
  const { random } = cluster;
  const version = target.version + 1;
  const before = target.replicaSet;
  const app = { ...target.app, image: `registry.example.com/${target.app.name}:1.${version}.0` };
  const begin = (): void => {
    const deployment = cluster.update("deployments.apps", app.namespace, app.name, (object) => ({
      ...object,
      metadata: {
        ...object.metadata,
        annotations: { "deployment.kubernetes.io/revision": String(version + 1) },
      },
      spec: deploymentObject(app).spec ?? {},
    }));
    target.replicaSet = cluster.create(replicaSetObject(deployment, app, drawSuffix(random, 10)));
    target.version = version;
    target.app = app;
  };
  const replace = (): void => {
    startPod(cluster, target.replicaSet, app, drawOneOf(random, NODES));
    stopPod(cluster, before);
  };
  const end = (): void => {
    cluster.delete("replicasets.apps", app.namespace, before.metadata.name);
  };
  return [begin, ...Array.from({ length: app.replicas }, () => replace), end];
}

/** Returns the steps of scaling by one replica, between one and eight. */
export function scale(cluster: SimulatedCluster, target: RunningApp): (() => void)[] {
  const { random } = cluster;
  const up = target.app.replicas === 1 || (target.app.replicas < 8 && random.float() < 0.5);
  const app = { ...target.app, replicas: target.app.replicas + (up ? 1 : -1) };
  const { namespace, name, replicas } = app;
  const resize = (resource: string, object: string): void => {
    cluster.update(resource, namespace, object, (current) => ({
      ...current,
      spec: { ...fields(current.spec), replicas },
      status: replicaStatus(replicas),
    }));
  };
  return [
    () => {
      target.app = app;
      resize("deployments.apps", name);
    },
    () => resize("replicasets.apps", target.replicaSet.metadata.name),
    () =>
      up
        ? startPod(cluster, target.replicaSet, app, drawOneOf(random, NODES))
        : stopPod(cluster, target.replicaSet),
  ];
}

/** Creates a pod that runs at once. */
export function startPod(
  cluster: SimulatedCluster,
  owner: SimulatedObject,
  app: Omit<App, "replicas">,
  node: string,
): void {
  const pod = cluster.create(podObject(owner, app, drawSuffix(cluster.random), node));
  cluster.update("pods", app.namespace, pod.metadata.name, (object) => ({
    ...object,
    status: runningStatus(app.name, app.image, timestamp(cluster), 0),
  }));
}

/** Deletes one pod of the owner, if it has any. */
function stopPod(cluster: SimulatedCluster, owner: SimulatedObject): void {
  const pod = cluster
    .list("pods")
    .find(({ metadata }) => metadata.ownerReferences?.some(({ uid }) => uid === owner.metadata.uid));
  if (pod !== undefined) {
    cluster.delete("pods", pod.metadata.namespace ?? "", pod.metadata.name);
  }
}

/** Restarts the container of a random pod. */
export function restartPod(cluster: SimulatedCluster): void {
  const pod = drawOne(cluster.random, cluster.list("pods"));
  if (pod === undefined) {
    return;
  }
  const restarts = 1 + drawIndex(cluster.random, 9);
  cluster.update("pods", pod.metadata.namespace ?? "", pod.metadata.name, (object) => {
    const app = object.metadata.labels?.["app"] ?? "";
    const image = `registry.example.com/${app}`;
    return { ...object, status: runningStatus(app, image, timestamp(cluster), restarts) };
  });
}

/** Renews the lease and the status of a node. */
export function heartbeat(cluster: SimulatedCluster, node: string): void {
  const renewTime = cluster.clock.now().toISOString();
  cluster.update("leases.coordination.k8s.io", "kube-node-lease", node, (lease) => ({
    ...lease,
    spec: { ...fields(lease.spec), renewTime },
  }));
  cluster.update("nodes", "", node, (object) => ({
    ...object,
    status: nodeStatus(object.metadata.creationTimestamp ?? "", timestamp(cluster)),
  }));
}

/** Edits the feature flags of a team. */
export function editFlags(cluster: SimulatedCluster, team: string): void {
  cluster.update("configmaps", team, "feature-flags", (object) => ({
    ...object,
    data: {
      "new-checkout": String(cluster.random.float() < 0.5),
      "rollout-percent": String(drawIndex(cluster.random, 101)),
    },
  }));
}

/** Changes a number of a custom object by a fraction. */
export function weighWidget(cluster: SimulatedCluster): void {
  const widget = drawOne(cluster.random, cluster.list("widgets.example.com"));
  if (widget !== undefined) {
    const weightKg = drawIndex(cluster.random, 10_000) / 100;
    cluster.update(
      "widgets.example.com",
      widget.metadata.namespace ?? "",
      widget.metadata.name,
      (object) => ({
        ...object,
        spec: { ...fields(object.spec), weightKg },
      }),
    );
  }
}

function fields(value: unknown): { readonly [key: string]: JsonValue } {
  return typeof value === "object" && value !== null ? (value as { readonly [key: string]: JsonValue }) : {};
}

/** Returns the cluster's time in the format of Kubernetes. */
export function timestamp(cluster: SimulatedCluster): string {
  return toTimestamp(cluster.clock.now());
}
