import { exactNumber } from "../domain/canonical-json.ts";
import type { JsonValue, OwnerReference, SimulatedObject } from "./simulated-object.ts";

/** Returns the owner references of an object whose controller is `owner`. */
export function ownedBy(owner: SimulatedObject): OwnerReference[] {
  const { apiVersion, kind } = owner;
  const { name, uid = "" } = owner.metadata;
  return [{ apiVersion, kind, name, uid, controller: true, blockOwnerDeletion: true }];
}

/** Returns a Namespace. */
export function namespaceObject(name: string): SimulatedObject {
  const metadata = { name, labels: { "kubernetes.io/metadata.name": name } };
  return {
    apiVersion: "v1",
    kind: "Namespace",
    metadata,
    spec: { finalizers: ["kubernetes"] },
    status: { phase: "Active" },
  };
}

/** Returns a Node that is ready since `time`. */
export function nodeObject(name: string, time: string): SimulatedObject {
  return {
    apiVersion: "v1",
    kind: "Node",
    metadata: {
      name,
      labels: {
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": "linux",
        "topology.kubernetes.io/zone": zoneOf(name),
      },
    },
    spec: { podCIDR: "10.244.0.0/24", providerID: `simulated://${name}` },
    status: nodeStatus(time, time),
  };
}

/** Returns the status of a ready Node whose last heartbeat was at `heartbeat`. */
export function nodeStatus(since: string, heartbeat: string): JsonValue {
  const condition = (type: string, status: string, reason: string): JsonValue => ({
    type,
    status,
    reason,
    lastHeartbeatTime: heartbeat,
    lastTransitionTime: since,
  });
  return {
    capacity: { cpu: "8", memory: "32617956Ki", pods: "110" },
    allocatable: { cpu: "7910m", memory: "31491556Ki", pods: "110" },
    conditions: [
      condition("MemoryPressure", "False", "KubeletHasSufficientMemory"),
      condition("DiskPressure", "False", "KubeletHasNoDiskPressure"),
      condition("Ready", "True", "KubeletReady"),
    ],
    nodeInfo: { kubeletVersion: "v1.34.4", osImage: "Debian GNU/Linux 12 (bookworm)", architecture: "amd64" },
  };
}

/** Returns the Lease that a node renews as its heartbeat. */
export function leaseObject(node: string, renewTime: string): SimulatedObject {
  return {
    apiVersion: "coordination.k8s.io/v1",
    kind: "Lease",
    metadata: { name: node, namespace: "kube-node-lease" },
    spec: { holderIdentity: node, leaseDurationSeconds: 40, renewTime },
  };
}

/** Parameters of an application. */
export interface App {
  readonly namespace: string;
  readonly name: string;
  readonly replicas: number;
  readonly image: string;
}

/** Returns the Deployment of an application. */
export function deploymentObject({ namespace, name, replicas, image }: App): SimulatedObject {
  const labels = { app: name };
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { namespace, name, labels, annotations: { "deployment.kubernetes.io/revision": "1" } },
    spec: {
      replicas,
      selector: { matchLabels: labels },
      strategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: "25%", maxUnavailable: "25%" } },
      template: podTemplate(name, image, labels),
    },
    status: replicaStatus(replicas),
  };
}

/** Returns a ReplicaSet of a Deployment. */
export function replicaSetObject(deployment: SimulatedObject, app: App, hash: string): SimulatedObject {
  const labels = { app: app.name, "pod-template-hash": hash };
  return {
    apiVersion: "apps/v1",
    kind: "ReplicaSet",
    metadata: {
      namespace: app.namespace,
      name: `${app.name}-${hash}`,
      labels,
      ownerReferences: ownedBy(deployment),
    },
    spec: {
      replicas: app.replicas,
      selector: { matchLabels: labels },
      template: podTemplate(app.name, app.image, labels),
    },
    status: replicaStatus(app.replicas),
  };
}

/** Returns the status of a controller with ready pods only. */
export function replicaStatus(replicas: number): JsonValue {
  return { observedGeneration: 1, replicas, readyReplicas: replicas, availableReplicas: replicas };
}

/** Returns a DaemonSet with a pod on each of `nodes` nodes. */
export function daemonSetObject(
  namespace: string,
  name: string,
  image: string,
  nodes: number,
): SimulatedObject {
  const labels = { app: name };
  return {
    apiVersion: "apps/v1",
    kind: "DaemonSet",
    metadata: { namespace, name, labels },
    spec: { selector: { matchLabels: labels }, template: podTemplate(name, image, labels) },
    status: {
      currentNumberScheduled: nodes,
      desiredNumberScheduled: nodes,
      numberReady: nodes,
      numberMisscheduled: 0,
    },
  };
}

/** Returns a pending Pod of a ReplicaSet or DaemonSet, on a node. */
export function podObject(
  owner: SimulatedObject,
  app: Omit<App, "replicas">,
  suffix: string,
  node: string,
): SimulatedObject {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      namespace: app.namespace,
      name: `${owner.metadata.name}-${suffix}`,
      labels: { ...owner.metadata.labels },
      ownerReferences: ownedBy(owner),
    },
    spec: { nodeName: node, serviceAccountName: "default", ...podSpec(app.name, app.image) },
    status: { phase: "Pending", conditions: [{ type: "PodScheduled", status: "True" }] },
  };
}

/** Returns the status of a Pod that runs since `time`. */
export function runningStatus(name: string, image: string, time: string, restarts: number): JsonValue {
  return {
    phase: "Running",
    startTime: time,
    conditions: [
      { type: "PodScheduled", status: "True", lastTransitionTime: time },
      { type: "Ready", status: "True", lastTransitionTime: time },
    ],
    containerStatuses: [
      {
        name,
        image,
        ready: true,
        started: true,
        restartCount: restarts,
        state: { running: { startedAt: time } },
      },
    ],
  };
}

/** Returns the Service of an application. */
export function serviceObject({ namespace, name }: App, clusterIP: string): SimulatedObject {
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: { namespace, name, labels: { app: name } },
    spec: {
      type: "ClusterIP",
      clusterIP,
      selector: { app: name },
      ports: [{ name: "http", port: 80, targetPort: 8080, protocol: "TCP" }],
    },
    status: { loadBalancer: {} },
  };
}

/** Returns a ConfigMap. */
export function configMapObject(
  namespace: string,
  name: string,
  content: Readonly<Record<string, string>>,
): SimulatedObject {
  return { apiVersion: "v1", kind: "ConfigMap", metadata: { namespace, name }, data: content };
}

/** Returns a Secret with an invented value. */
export function secretObject(namespace: string, name: string, password: string): SimulatedObject {
  const encoded = Buffer.from(password).toString("base64");
  return {
    apiVersion: "v1",
    kind: "Secret",
    metadata: { namespace, name },
    type: "Opaque",
    data: { password: encoded },
  };
}

/** Returns a ServiceAccount. */
export function serviceAccountObject(namespace: string, name: string): SimulatedObject {
  return { apiVersion: "v1", kind: "ServiceAccount", metadata: { namespace, name } };
}

/** Returns the definition of the custom resource type `example.com/v1 widgets`. */
export function widgetDefinition(): SimulatedObject {
  const names = {
    plural: "widgets",
    singular: "widget",
    kind: "Widget",
    listKind: "WidgetList",
    shortNames: ["wd"],
  };
  const schema = { openAPIV3Schema: { type: "object", "x-kubernetes-preserve-unknown-fields": true } };
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: "widgets.example.com" },
    spec: {
      group: "example.com",
      scope: "Namespaced",
      names,
      versions: [{ name: "v1", served: true, storage: true, schema }],
    },
    status: {
      acceptedNames: names,
      storedVersions: ["v1"],
      conditions: [{ type: "Established", status: "True" }],
    },
  };
}

/** Returns a custom object with numbers that careless programs change: above 2^53, and fractions. */
export function widgetObject(namespace: string, name: string, weightKg: number): SimulatedObject {
  return {
    apiVersion: "example.com/v1",
    kind: "Widget",
    metadata: { namespace, name },
    spec: {
      serial: exactNumber("9007199254740993"),
      maxCount: exactNumber("9223372036854775807"),
      tolerance: exactNumber("1e-7"),
      weightKg,
      label: "Größe „M“ – 適合",
    },
  };
}

function podTemplate(name: string, image: string, labels: Readonly<Record<string, string>>): JsonValue {
  return { metadata: { labels }, spec: podSpec(name, image) };
}

function podSpec(name: string, image: string): { readonly [key: string]: JsonValue } {
  return {
    containers: [
      {
        name,
        image,
        ports: [{ containerPort: 8080, protocol: "TCP" }],
        resources: { requests: { cpu: "100m", memory: "128Mi" }, limits: { memory: "256Mi" } },
        readinessProbe: { httpGet: { path: "/healthz", port: 8080 }, periodSeconds: 10 },
      },
    ],
    restartPolicy: "Always",
    terminationGracePeriodSeconds: 30,
  };
}

function zoneOf(node: string): string {
  return `zone-${"abc".charAt(Number(node.at(-1)) % 3)}`;
}
