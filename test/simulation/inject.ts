import { createSeededRandom, type Random } from "../../src/lib/random.ts";
import { SimulatedCluster } from "../../src/simulation/simulated-cluster.ts";
import { between, index, pick } from "./chance.ts";
import type { AgentScope, Fleet, FleetCluster } from "./fleet.ts";
import type { Step } from "./plan.ts";
import { createVirtualClock } from "./virtual-time.ts";
import { ClusterWorkload } from "./workload.ts";

type FaultStep = Extract<Step, { type: "fault" }>;

/** Injects the fault of a step. Returns a function that ends it. */
export function inject(fleet: Fleet, step: FaultStep): () => void {
  const random = createSeededRandom(step.seed);
  const { busFaults, databaseFaults, network } = fleet;
  const cluster = fleet.clusters[step.cluster] as FleetCluster;
  const { faults, api } = cluster;
  const agent = pick(random, cluster.agents);
  const nothing = (): void => {};
  fleet.reach(step.fault);

  /** Sets a field until the fault ends. */
  const during = <T extends object, K extends keyof T>(target: T, field: K, value: T[K], after: T[K]) => {
    target[field] = value;
    return () => {
      target[field] = after;
    };
  };
  /** Adds a value until the fault ends. */
  const added = (set: Set<string>, value: string) => {
    set.add(value);
    return () => void set.delete(value);
  };
  const once = (act: () => void) => {
    act();
    return nothing;
  };
  const unlessJustRestored = (act: () => void): void => {
    if (!cluster.isJustRestored()) {
      act();
    }
  };

  switch (step.fault) {
    case "kill backend":
      return once(() => fleet.killSoon(pick(random, fleet.backends), random));
    case "kill ingester":
      return once(() => fleet.killSoon(pick(random, fleet.ingesters), random));
    case "kill agent":
      return once(() => unlessJustRestored(() => fleet.killSoon(agent, random)));
    case "stop backend":
      return once(() => pick(random, fleet.backends).stop());
    case "stop agent":
      return once(() => unlessJustRestored(() => agent.stop()));
    case "second agent": {
      const second = fleet.addAgent(cluster);
      return () => second.remove();
    }
    case "second agent stays":
      return once(() => fleet.addAgent(cluster));
    case "reset connections":
      return once(() => void network.breakConnections(agent.name, "reset"));
    case "silent connections": {
      const ways = ["both ways silent", "to the server silent", "to the client silent"] as const;
      return once(() => void network.breakConnections(agent.name, pick(random, ways)));
    }
    case "partition agent":
      network.partition(agent.name, true);
      return () => network.partition(agent.name, false);
    case "broker gone":
      fleet.cutOffConsumers(random);
      return during(busFaults, "isGone", true, false);
    case "partition full":
      fleet.fillPartition(cluster, true);
      return () => fleet.fillPartition(cluster, false);
    case "cut off consumers":
      return once(() => fleet.cutOffConsumers(random));
    case "publishes refused":
      return during(busFaults, "refusedRate", between(random, 0.02, 0.3), 0);
    case "receipts lost":
      return during(busFaults, "lostReceiptRate", between(random, 0.02, 0.3), 0);
    case "messages lost":
      return during(busFaults, "lostMessageRate", between(random, 0.05, 0.5), 0);
    case "acknowledgements lost":
      return during(busFaults, "lostAcknowledgementRate", between(random, 0.1, 0.9), 0);
    case "deliveries late":
      return during(busFaults, "lateRate", between(random, 0.05, 0.5), 0);
    case "database gone":
      return during(databaseFaults, "isGone", true, false);
    case "Postgres restored":
      return restorePostgres(fleet, step.forMs);
    case "locks held":
      return during(databaseFaults, "lockRate", between(random, 0.1, 0.9), 0);
    case "commits fail":
      return during(databaseFaults, "failedCommitRate", between(random, 0.05, 0.5), 0);
    case "commit answers lost":
      return during(databaseFaults, "lostCommitRate", between(random, 0.05, 0.5), 0);
    case "API server gone":
      api.breakWatches();
      return during(faults, "isGone", true, false);
    case "API server starts":
      api.breakWatches();
      return during(faults, "isStarting", true, false);
    case "API server restarts with the agent":
      api.breakWatches();
      unlessJustRestored(() => agent.process?.kill());
      return during(faults, "isStarting", true, false);
    case "group hidden":
      if (random.float() < 0.5) {
        unlessJustRestored(() => agent.process?.kill());
      }
      return added(faults.hiddenGroups, "example.com");
    case "group unavailable":
      return added(faults.unavailableGroups, pick(random, ["example.com", "apps"]));
    case "group stays unavailable":
      if (random.float() < 0.5) {
        unlessJustRestored(() => agent.process?.kill());
      }
      return once(() => faults.unavailableGroups.add("example.com"));
    case "forbidden":
      return added(faults.forbidden, pick(random, ["configmaps", "widgets"]));
    case "token expired":
      api.breakWatches();
      return during(faults, "isUnauthorized", true, false);
    case "API errors":
      return during(faults, "errorRate", between(random, 0.05, 0.5), 0);
    case "one API error":
      return once(() =>
        api.faults.forceResponse({
          status: pick(random, [429, 503]),
          retryAfterSeconds: 1,
          matches: (url) => !url.includes("watch=") && /configmaps|namespaces|widgets/.test(url),
        }),
      );
    case "false absence":
      return during(faults, "falseAbsenceRate", between(random, 0.2, 1), 0);
    case "watches break":
      return during(faults, "brokenWatchRate", between(random, 0.05, 0.5), 0);
    case "requests slow":
      return during(faults, "slowRate", between(random, 0.05, 0.5), 0);
    case "stale lists": {
      const revision = Math.max(1, api.store.compactedRevision, api.store.revision - index(random, 20));
      // The API server itself never lags in a list of the newest version; an extension's replica may.
      const resourceKey = pick(random, ["configmaps", "widgets.example.com"]);
      const lagging = { revision, affects: "all", resourceKey } as const;
      const isLagging = random.float() < 0.7 && !cluster.isJustRestored();
      api.faults.staleLists = { revision, affects: "any" };
      if (isLagging) {
        void fleet.isBelowWatermark(cluster, resourceKey, revision).then((isKnown) => {
          if (isKnown && api.faults.staleLists !== undefined) {
            api.faults.staleLists = lagging;
          }
        });
      }
      return () => {
        api.faults.staleLists = undefined;
      };
    }
    case "bookmarks held":
      return during(api.faults, "holdBookmarks", true, false);
    case "watch events lost":
      return once(() => api.faults.loseNextWatchEvent(pick(random, ["configmaps", "widgets.example.com"])));
    case "deletions at last version":
      return during(faults, "deletionsAtLastVersion", true, false);
    case "compaction":
      return once(() => api.compact());
    case "etcd restored": {
      const oldest = Math.max(cluster.firstRevision, api.store.compactedRevision);
      api.faults.staleLists = undefined;
      if (isReconfigured(cluster)) {
        return nothing;
      }
      return once(() => {
        api.restore(Math.max(oldest, api.store.revision - index(random, 40)));
        cluster.truth.restore(api);
        cluster.onRestored();
      });
    }
    case "CRD late": {
      const end = added(faults.hiddenGroups, "example.com");
      if (!cluster.mustRest()) {
        cluster.workload.write("install CRD", step.seed);
      }
      return end;
    }
    case "scope narrowed":
      return cluster.isJustRestored() || isReconfigured(cluster)
        ? nothing
        : narrowScope(fleet, cluster, step, random);
    case "cluster rebuilt":
      return cluster.isJustRestored() || isReconfigured(cluster) || !wasConnected(fleet, cluster)
        ? nothing
        : rebuild(fleet, cluster, random);
    default:
      return step.fault satisfies never;
  }
}

/** True if the agents must restart at the end of another fault. */
function isReconfigured({ narrowings, answering, api }: FleetCluster): boolean {
  return answering !== api || narrowings.at(-1)?.until === Number.POSITIVE_INFINITY;
}

/**
 * True if Postgres knows a session of the cluster, which binds the name of the cluster to its uid. A restored Postgres
 * does not know those since its copy.
 */
function wasConnected({ trace, forgotten }: Fleet, { agents }: FleetCluster): boolean {
  const isKnown = (line: string): boolean => {
    const at = Number(line.trim().split(" ", 1)[0]) * 1_000;
    return !forgotten.some(({ from, until }) => at >= from && at < until);
  };
  return agents.some(({ name }) =>
    trace.lines.some(
      (line) => line.includes(` ${name}#`) && line.includes("session opened") && isKnown(line),
    ),
  );
}

/** Restores the tables as they are now after a time. The database is gone while that happens. */
function restorePostgres(fleet: Fleet, forMs: number): () => void {
  const { postgres, databaseFaults, time } = fleet;
  void postgres.copy();
  const from = time.elapsedMs;
  let isOver = false;
  const restore = async (): Promise<void> => {
    // A copy from before its first session would bind the name of a cluster to the one that was built in its place, and
    // one without watermarks cannot show that a replica lags.
    if (
      fleet.clusters.every(({ answering, api }) => answering === api && api.faults.staleLists === undefined)
    ) {
      await postgres.restoreCopy();
      fleet.forgotten.push({ from, until: time.elapsedMs });
    }
    databaseFaults.isGone = false;
  };
  time.schedule(forMs * 0.8, () => {
    databaseFaults.isGone = true;
    isOver = true;
    void restore();
  });
  return () => {
    if (!isOver) {
      throw new Error("the database was not restored in time");
    }
  };
}

const NARROW_SCOPES: readonly AgentScope[] = [
  { resources: ["namespaces", "*.example.com"], namespaces: [] },
  { resources: ["configmaps", "namespaces"], namespaces: [] },
  { resources: ["configmaps", "namespaces", "*.example.com"], namespaces: ["a"] },
  { resources: ["configmaps", "namespaces", "*.example.com"], namespaces: ["b", "kube-system"] },
];

/** Restarts the agents with a part of the scope, and later with the whole. An operator may approve the deletions. */
function narrowScope(fleet: Fleet, cluster: FleetCluster, { forMs }: FaultStep, random: Random): () => void {
  const { time } = fleet;
  const whole = cluster.scope;
  const scope = pick(random, NARROW_SCOPES);
  const narrowing = { from: time.elapsedMs, until: Number.POSITIVE_INFINITY, scope };
  cluster.narrowings.push(narrowing);
  cluster.scope = scope;
  fleet.restartAgents(cluster);
  if (random.float() < 0.7) {
    time.schedule(forMs * between(random, 0.5, 1), () => void fleet.approveDeletions(cluster));
  }
  return () => {
    narrowing.until = time.elapsedMs;
    cluster.scope = whole;
    fleet.restartAgents(cluster);
  };
}

/** Puts another cluster under the address of the API server, and later the old one again. */
function rebuild(fleet: Fleet, cluster: FleetCluster, random: Random): () => void {
  const answering = new SimulatedCluster({
    clock: createVirtualClock(fleet.time),
    random: createSeededRandom(index(random, 2 ** 31)),
    firstRevision: cluster.api.store.revision + 50 - index(random, 100),
  });
  new ClusterWorkload(answering, "rebuilt");
  const change = (to: SimulatedCluster): void => {
    cluster.answering.breakWatches();
    cluster.answering = to;
    fleet.restartAgents(cluster);
  };
  change(answering);
  return () => change(cluster.api);
}
