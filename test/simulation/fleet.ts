import type pg from "pg";
import type { Backend } from "../../src/backend/backend.ts";
import type { OutgoingMessage, SubscribeOptions } from "../../src/bus/bus.ts";
import { createMemoryBus, type MemoryBus } from "../../src/bus/memory/memory-bus.ts";
import { BACKEND_SUBSCRIPTION, clusterKey, INGESTER_SUBSCRIPTION, TOPICS } from "../../src/event/topics.ts";
import { NEVER } from "../../src/lib/abort.ts";
import { createSeededRandom, type Random } from "../../src/lib/random.ts";
import { SimulatedCluster } from "../../src/simulation/simulated-cluster.ts";
import { createDatabaseOn } from "../../src/store/postgres/database.ts";
import { createPgDeletionStore } from "../../src/store/postgres/pg-deletion-store.ts";
import { between, index, pick } from "./chance.ts";
import type { Effect } from "./coverage.ts";
import { RESOURCE } from "./history.ts";
import { Host } from "./host.ts";
import type { InProcessPostgres } from "./in-process-postgres.ts";
import { Peaks } from "./peaks.ts";
import type { Plan, PlannedCluster } from "./plan.ts";
import { runAgent, runBackend, runIngester, TUNING, WINDOW_LIMITS } from "./programs.ts";
import { type BusFaults, connectBus, createBusFaults } from "./simulated-bus.ts";
import { connectDatabase, createDatabaseFaults, type DatabaseFaults } from "./simulated-database.ts";
import { type ApiFaults, connectKube, createApiFaults } from "./simulated-kube.ts";
import { SimulatedNetwork } from "./simulated-network.ts";
import { Trace } from "./trace.ts";
import { Truth } from "./truth.ts";
import { createVirtualClock, VirtualTime } from "./virtual-time.ts";
import { ClusterWorkload } from "./workload.ts";

/** Resource types that the agents read, as they are configured. */
const SELECTED = ["configmaps", "namespaces", "*.example.com"];

/** Resource types whose rows are compared with the truth. */
export const CHECKED = ["configmaps", "namespaces", "widgets.example.com"];

/** What the agents of a cluster read. */
export interface AgentScope {
  readonly resources: readonly string[];
  /** Empty for all. */
  readonly namespaces: readonly string[];
}

const WHOLE_SCOPE: AgentScope = { resources: SELECTED, namespaces: [] };

/** A time during which the agents of a cluster were configured to read only a part. */
export interface Narrowing {
  readonly from: number;
  until: number;
  readonly scope: AgentScope;
}

/** A cluster of the simulation. */
export interface FleetCluster {
  /** Account and name. */
  readonly id: string;
  readonly account: string;
  readonly name: string;
  readonly api: SimulatedCluster;
  /** The cluster that answers the agents: `api`, or one that was built under its address. */
  answering: SimulatedCluster;
  /** Scope that the agents get at their start. */
  scope: AgentScope;
  readonly narrowings: Narrowing[];
  /** Revision at which the cluster has its first objects. */
  readonly firstRevision: number;
  /** True if lists and watches of its custom objects lack fields that single reads have. */
  readonly isAbridged: boolean;
  readonly faults: ApiFaults;
  readonly truth: Truth;
  readonly workload: ClusterWorkload;
  readonly agents: Host[];
  /** Records that the etcd was restored. */
  onRestored(): void;
  /**
   * True if the agent must live on, and no replica lags, because the agent may not have proved yet that versions went back
   * (docs/correctness.md, limits of the proof).
   */
  isJustRestored(): boolean;
  /**
   * True if nothing may be written, because the agent may not have seen yet that versions went back: a write that takes
   * the number of a lost one is equal to it (docs/correctness.md, limits of the proof).
   */
  mustRest(): boolean;
  /** True if the etcd was restored. Two objects may then have had one version. */
  wasRestored(): boolean;
}

/** Time for which an agent lives on after a restore, in milliseconds. */
const AFTER_RESTORE_MS = 40_000;

/** Time without writes after a restore, in milliseconds. */
const REST_MS = 3_000;

/** All programs and edges of one simulation. */
export class Fleet {
  readonly time = new VirtualTime();
  readonly trace = new Trace(this.time);
  readonly peaks = new Peaks();
  readonly network: SimulatedNetwork;
  readonly broker: MemoryBus = createMemoryBus();
  readonly busFaults: BusFaults = createBusFaults();
  readonly databaseFaults: DatabaseFaults = createDatabaseFaults();
  readonly clusters: readonly FleetCluster[];
  readonly backends: readonly Host[];
  readonly ingesters: readonly Host[];
  /** Number of times that each fault was injected. */
  readonly reached = new Map<string, number>();
  readonly pool: pg.Pool;
  readonly postgres: InProcessPostgres;
  /** Times whose changes a restored Postgres does not have. */
  readonly forgotten: { readonly from: number; readonly until: number }[] = [];
  /** Messages of the topic of events, in the order in which the broker stored them. */
  readonly published: OutgoingMessage[] = [];
  readonly #random: Random;
  /** Topics on which backends read inventories. */
  readonly #replyTopics = new Set<string>();
  /** The backends that serve now. */
  readonly #serving = new Map<Host, Backend>();

  constructor(plan: Plan, postgres: InProcessPostgres) {
    this.postgres = postgres;
    this.pool = postgres.pool;
    this.#random = createSeededRandom(plan.seed ^ 0x5eed);
    this.network = new SimulatedNetwork(this.time, this.#random);
    const named = new Map<number, number>();
    this.clusters = plan.clusters.map((planned) => {
      // Clusters of several accounts have equal names.
      const at = named.get(planned.account) ?? 0;
      named.set(planned.account, at + 1);
      return this.#createCluster(`account-${planned.account}`, `cluster-${at}`, planned);
    });
    this.backends = plan.skewsMs.map((skewMs, at) => this.#createBackend(`backend-${at}`, skewMs));
    this.ingesters = Array.from({ length: plan.ingesters }, (_, at) =>
      this.#createIngester(`ingester-${at}`),
    );
    for (const cluster of this.clusters) {
      cluster.agents.push(this.#createAgent(cluster, `agent-${cluster.id}`));
    }
  }

  /** Starts all programs, each at its own time. */
  start(): void {
    const agents = this.clusters.flatMap((cluster) => cluster.agents);
    for (const host of [...this.backends, ...this.ingesters, ...agents]) {
      this.time.schedule(between(this.#random, 0, 2_000), () => host.start());
    }
  }

  /** Adds one more agent to a cluster. */
  addAgent(cluster: FleetCluster): Host {
    const host = this.#createAgent(cluster, `agent-${cluster.id}-${cluster.agents.length}`);
    cluster.agents.push(host);
    host.start();
    return host;
  }

  /** Requests a run, as `evenkeel reconcile` does. */
  async requestRun({ account, name }: FleetCluster, dryRun: boolean): Promise<void> {
    const backend = [...this.#serving.values()][0];
    try {
      await backend?.startRun(NEVER, account, name, { dryRun });
      this.reach(dryRun ? "dry run requested" : "run requested");
    } catch (error) {
      this.trace.add("caller", `run refused: ${error}`);
    }
  }

  /** Approves all withheld deletions of a cluster, as `evenkeel deletions approve` does. */
  async approveDeletions({ account, name }: FleetCluster): Promise<void> {
    const deletions = createPgDeletionStore(createDatabaseOn(this.pool));
    const { rows } = await this.pool.query<{ id: string }>(
      "SELECT id FROM deletion_set WHERE account = $1 AND cluster = $2 AND state = 'WITHHELD' ORDER BY origin",
      [account, name],
    );
    for (const { id } of rows) {
      await deletions.approve(NEVER, account, id, { decidedBy: "operator" });
      this.reach("deletions approved");
    }
  }

  /** True if the stored high watermark of the resource type is above the version, so that a list of it is recognized. */
  async isBelowWatermark(
    { account, name }: FleetCluster,
    resource: string,
    version: number,
  ): Promise<boolean> {
    const { rows } = await this.pool.query<{ known: boolean }>(
      `SELECT count(*) > 0 AS known FROM resource_state k
       WHERE k.account = $1 AND k.cluster = $2 AND ${RESOURCE("k")} = $3 AND k.high_watermark > $4`,
      [account, name, resource, version],
    );
    return rows[0]?.known === true;
  }

  /** Kills the agents of a cluster. They start again with its scope. */
  restartAgents({ agents }: FleetCluster): void {
    for (const agent of agents) {
      agent.process?.kill();
    }
  }

  /** Delivers all messages once more. */
  async replay(): Promise<void> {
    const producer = await this.broker.createProducer(NEVER, TOPICS.events);
    for (const message of [...this.published]) {
      await producer.publish(NEVER, message);
    }
    this.reach("messages replayed");
  }

  /** Cuts off the consumers of the ingesters, or those of the backends. */
  cutOffConsumers(random: Random): void {
    if (random.float() < 0.7) {
      this.broker.cutOff(TOPICS.events, INGESTER_SUBSCRIPTION);
    } else {
      for (const topic of this.#replyTopics) {
        this.broker.cutOff(topic, BACKEND_SUBSCRIPTION);
      }
    }
  }

  fillPartition({ account, name }: FleetCluster, isFull: boolean): void {
    const key = clusterKey(account, name);
    if (isFull) {
      this.busFaults.fullKeys.add(key);
    } else {
      this.busFaults.fullKeys.delete(key);
    }
  }

  /** Counts a fault or a race that happened. */
  reach(name: string): void {
    this.reached.set(name, (this.reached.get(name) ?? 0) + 1);
  }

  /** Counts the limits that queues reached. */
  reachLimits(): void {
    if (this.peaks.of("evenkeel_agent_pending_bytes") >= TUNING.maxPendingBytes) {
      this.reach("outbox full");
    }
    if (this.peaks.of("evenkeel_ingester_held_bytes") >= WINDOW_LIMITS.maxBytes) {
      this.reach("window full");
    }
  }

  /** Kills the process of a host at one of its next crossings. */
  killSoon(host: Host, random: Random): void {
    host.process?.killAtCrossing(1 + index(random, pick(random, [3, 30, 200])));
  }

  #createCluster(account: string, name: string, { isAbridged }: PlannedCluster): FleetCluster {
    const id = `${account}/${name}`;
    const random = createSeededRandom(index(this.#random, 2 ** 31));
    const truth = new Truth(this.time);
    const clock = createVirtualClock(this.time);
    const api = new SimulatedCluster({ clock, random, firstRevision: 100, onWrite: truth.write });
    const workload = new ClusterWorkload(api, id);
    const firstRevision = api.store.revision;
    let restoredAt = Number.NEGATIVE_INFINITY;
    return {
      ...{ id, account, name, api, firstRevision, truth, workload, isAbridged },
      answering: api,
      scope: WHOLE_SCOPE,
      narrowings: [],
      faults: createApiFaults(),
      agents: [],
      onRestored: () => {
        restoredAt = this.time.elapsedMs;
      },
      mustRest: () => this.time.elapsedMs < restoredAt + REST_MS,
      wasRestored: () => restoredAt >= 0,
      isJustRestored: () => this.time.elapsedMs < restoredAt + AFTER_RESTORE_MS,
    };
  }

  #createBackend(name: string, skewMs: number): Host {
    const { time, trace, peaks } = this;
    const host = new Host({
      ...{ name, time, trace, peaks, skewMs },
      random: this.#random,
      program: (process) =>
        runBackend(process, {
          bus: connectBus(process, this.#busOptions),
          database: connectDatabase(process, this.#databaseOptions),
          network: this.network,
          onServing: (backend) => {
            this.#serving.set(host, backend);
            process.onDeath(() => this.#serving.delete(host));
          },
        }).finally(() => this.#serving.delete(host)),
    });
    return host;
  }

  #createIngester(name: string): Host {
    const { time, trace, peaks } = this;
    return new Host({
      ...{ name, time, trace, peaks },
      random: this.#random,
      program: (process) =>
        runIngester(process, {
          bus: connectBus(process, this.#busOptions),
          database: connectDatabase(process, this.#databaseOptions),
        }),
    });
  }

  #createAgent(cluster: FleetCluster, name: string): Host {
    const { time, trace, peaks } = this;
    const { account, faults, isAbridged } = cluster;
    const kubeOptions = {
      cluster: () => cluster.answering,
      isAbridged,
      faults,
      time,
      random: this.#random,
      onFault: (what: Effect) => this.reach(what),
    };
    return new Host({
      ...{ name, time, trace, peaks },
      random: this.#random,
      program: (process) =>
        runAgent(process, {
          cluster: cluster.name,
          ...cluster.scope,
          kube: connectKube(process, kubeOptions),
          openSync: this.network.createClient(process, name, account),
        }),
    });
  }

  get #busOptions() {
    const { broker, busFaults: faults, time } = this;
    const onSubscribe = ({ topic, subscription }: SubscribeOptions): void => {
      if (subscription === BACKEND_SUBSCRIPTION) {
        this.#replyTopics.add(topic);
      }
    };
    const onFault = (what: Effect): void => this.reach(what);
    const onStored = (topic: string, message: OutgoingMessage): void => {
      if (topic === TOPICS.events) {
        this.published.push(message);
      }
    };
    return { broker, faults, time, random: this.#random, onSubscribe, onStored, onFault };
  }

  get #databaseOptions() {
    const { pool, time, databaseFaults: faults } = this;
    return { pool, time, faults, random: this.#random, onFault: (what: Effect) => this.reach(what) };
  }
}
