import {
  editFlags,
  heartbeat,
  NODES,
  type RunningApp,
  restartPod,
  rollOut,
  scale,
  startPod,
  timestamp,
  weighWidget,
} from "./churn.ts";
import { drawIndex, drawOneOf, drawSuffix } from "./random-pick.ts";
import type { SimulatedCluster } from "./simulated-cluster.ts";
import {
  configMapObject,
  daemonSetObject,
  deploymentObject,
  leaseObject,
  namespaceObject,
  nodeObject,
  replicaSetObject,
  secretObject,
  serviceAccountObject,
  serviceObject,
  widgetDefinition,
  widgetObject,
} from "./workload-objects.ts";

export interface WorkloadOptions {
  /** The cluster also provides time and randomness. */
  readonly cluster: SimulatedCluster;
  /** Number of applications; default 24, about three hundred objects. */
  readonly apps?: number;
  /** Average time between two changes; default 500 ms. */
  readonly changeIntervalMs?: number;
}

/** Applications of a small company and their changes. */
export interface Workload {
  /** Makes one change: a heartbeat, a pod, a setting, or the next step of a rollout or of scaling. */
  change(): void;
  /** Makes changes until `signal` aborts, then resolves. */
  run(signal: AbortSignal): Promise<void>;
}

const SYSTEM_NAMESPACES = ["default", "kube-system", "kube-public", "kube-node-lease"];
const TEAMS = ["shop", "payments", "search", "platform"];
const parts = [
  "frontend",
  "api",
  "worker",
  "cache",
  "billing",
  "ledger",
  "indexer",
  "mailer",
  "gateway",
  "reports",
];

/** Fills an empty cluster and returns its workload. */
export function createWorkload({ cluster, apps = 24, changeIntervalMs = 500 }: WorkloadOptions): Workload {
  const { random, clock } = cluster;
  const running = fill(cluster, apps);
  /** Remaining steps of begun activities. Each change takes one of them before a new activity begins. */
  const steps: (() => void)[] = [];
  const activities: readonly { readonly weight: number; readonly begin: () => void }[] = [
    { weight: 35, begin: () => heartbeat(cluster, drawOneOf(random, NODES)) },
    { weight: 25, begin: () => restartPod(cluster) },
    { weight: 12, begin: () => steps.push(...rollOut(cluster, drawOneOf(random, running))) },
    { weight: 12, begin: () => steps.push(...scale(cluster, drawOneOf(random, running))) },
    { weight: 10, begin: () => editFlags(cluster, drawOneOf(random, TEAMS)) },
    { weight: 6, begin: () => weighWidget(cluster) },
  ];
  const change = (): void => {
    const step = steps.shift();
    if (step !== undefined) {
      step();
      return;
    }
    let left = random.float() * activities.reduce((sum, { weight }) => sum + weight, 0);
    activities
      .find(({ weight }) => {
        left -= weight;
        return left < 0;
      })
      ?.begin();
  };
  return {
    change,
    async run(signal) {
      try {
        for (;;) {
          await clock.sleep(signal, random.float() * 2 * changeIntervalMs);
          change();
        }
      } catch (error) {
        if (!signal.aborted) {
          throw error;
        }
      }
    },
  };
}

function fill(cluster: SimulatedCluster, apps: number): RunningApp[] {
  const { random } = cluster;
  for (const name of [...SYSTEM_NAMESPACES, ...TEAMS]) {
    cluster.create(namespaceObject(name));
    cluster.create(serviceAccountObject(name, "default"));
    cluster.create(configMapObject(name, "kube-root-ca.crt", { "ca.crt": "(simulated)" }));
  }
  for (const node of NODES) {
    cluster.create(nodeObject(node, timestamp(cluster)));
    cluster.create(leaseObject(node, cluster.clock.now().toISOString()));
  }
  const proxy = cluster.create(
    daemonSetObject("kube-system", "kube-proxy", "registry.k8s.io/kube-proxy:v1.34.4", NODES.length),
  );
  for (const node of NODES) {
    const app = { namespace: "kube-system", name: "kube-proxy", image: "registry.k8s.io/kube-proxy:v1.34.4" };
    startPod(cluster, proxy, app, node);
  }
  for (const team of TEAMS) {
    cluster.create(configMapObject(team, "feature-flags", { "new-checkout": "false", "dark-mode": "true" }));
  }
  cluster.create(widgetDefinition());
  for (let index = 0; index < 12; index += 1) {
    cluster.create(widgetObject(drawOneOf(random, TEAMS), `widget-${index}`, index + 0.75));
  }
  return Array.from({ length: apps }, (_, index) => deploy(cluster, index));
}

function deploy(cluster: SimulatedCluster, index: number): RunningApp {
  const { random } = cluster;
  const namespace = TEAMS[index % TEAMS.length] ?? "default";
  const part = parts[Math.floor(index / TEAMS.length) % parts.length];
  const generation = Math.floor(index / (TEAMS.length * parts.length));
  const name = generation === 0 ? `${namespace}-${part}` : `${namespace}-${part}-${generation + 1}`;
  const app = {
    namespace,
    name,
    replicas: 2 + drawIndex(random, 4),
    image: `registry.example.com/${name}:1.0.0`,
  };
  const deployment = cluster.create(deploymentObject(app));
  const replicaSet = cluster.create(replicaSetObject(deployment, app, drawSuffix(random, 10)));
  for (let replica = 0; replica < app.replicas; replica += 1) {
    startPod(cluster, replicaSet, app, drawOneOf(random, NODES));
  }
  cluster.create(serviceObject(app, `10.96.${Math.floor(index / 250)}.${(index % 250) + 1}`));
  cluster.create(
    configMapObject(namespace, `${name}-config`, { "config.yaml": `name: ${name}\nlogLevel: warn\n` }),
  );
  cluster.create(secretObject(namespace, `${name}-database`, drawSuffix(random, 24)));
  return { app, replicaSet, version: 0 };
}
