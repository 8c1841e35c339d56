import { create } from "@bufbuild/protobuf";
import { HelloSchema } from "../../gen/proto/evenkeel/v1/sync_service_pb.ts";
import type { BatchHandlers } from "../domain/batch-type.ts";
import { getClusterUid, getServerVersion } from "../kube/api-server.ts";
import { withDeadlines } from "../kube/deadline-transport.ts";
import type { KubeTransport } from "../kube/kube.ts";
import { withListLimit } from "../kube/list-limit.ts";
import type { Clock } from "../lib/clock.ts";
import { toMessage } from "../lib/errors.ts";
import type { Log } from "../lib/log.ts";
import type { Random } from "../lib/random.ts";
import { type RetryOptions, retry } from "../lib/retry.ts";
import type { Metrics, Tracer } from "../lib/telemetry.ts";
import { ComparisonWorker } from "./compare/comparison-worker.ts";
import { type AgentTuning, DEFAULT_AGENT_TUNING } from "./config.ts";
import { FailureLog } from "./failure-log.ts";
import { followScope } from "./follow-scope.ts";
import {
  type AgentCounters,
  createAgentCounters,
  registerAgentMetrics,
  registerOutboxMetrics,
} from "./metrics.ts";
import { type AgentBatchHandler, createBatchProcessor } from "./process-batch.ts";
import { classifyError } from "./retry-budget.ts";
import { selectResources } from "./scope/select-resources.ts";
import { Outbox } from "./uplink/outbox.ts";
import type { OpenSync } from "./uplink/session.ts";
import { Uplink } from "./uplink/uplink.ts";
import { Reflectors } from "./watch/reflectors.ts";
import { RestoreEvidence } from "./watch/restore-evidence.ts";

/** Cluster, resource types, and ports of an agent. */
export interface AgentOptions {
  /** Name of the cluster, unique in its account. */
  readonly cluster: string;
  /** Resource types such as "pods" and "deployments.v1.apps", "*.apps" for a whole group, "*" for all. */
  readonly resources: readonly string[];
  /** Resource types and groups that wildcards leave out. */
  readonly excludeResources: readonly string[];
  /** Namespaces that are read; empty for all. Cluster-scoped objects are always read. */
  readonly namespaces: readonly string[];
  /** Version of this program, sent to the backend in Hello. */
  readonly agentVersion: string;
  /** Times, sizes and limits; {@link DEFAULT_AGENT_TUNING} unless set. */
  readonly tuning?: AgentTuning;
  /** Handlers of further types of batches from the backend, by the number of the type. */
  readonly batchHandlers?: BatchHandlers<AgentBatchHandler>;
  /** Port to the API server. */
  readonly kube: KubeTransport;
  /** Port to the backend. */
  readonly openSync: OpenSync;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly tracer: Tracer;
}

/** Reads one cluster and delivers observations to the backend. */
export interface Agent {
  /** Counters since the agent was created. */
  readonly counters: Readonly<AgentCounters>;
  /**
   * Runs until `signal` aborts, then delivers pending messages for at most `flushMs`, and resolves. Must be
   * called only once.
   *
   * @throws ConfigError for an invalid configuration.
   * @throws TerminalError when the backend rejects the agent permanently, or the API server belongs to
   * another cluster.
   */
  run(signal: AbortSignal): Promise<void>;
}

const REQUEST_DEADLINES = { requestMs: 60_000, watchGraceMs: 15_000 };

/** A healthy API server answers a page within a second, and admits hundreds of requests at a time from all clients. */
const LIST_LIMIT = { maxLists: 16, slowMs: 10_000 };

/**
 * Creates an agent with a new instance ID. After it connects, a run compares the objects that an earlier
 * process delivered.
 */
export function createAgent(options: AgentOptions): Agent {
  const counters = createAgentCounters();
  registerAgentMetrics(options.metrics, counters);
  return { counters, run: (signal) => runAgent(signal, options, counters) };
}

async function runAgent(stop: AbortSignal, options: AgentOptions, counters: AgentCounters): Promise<void> {
  // Rejects malformed names before the first request.
  selectResources({ resources: [], unanswered: [] }, options);
  // The reading parts end first; the uplink delivers what they left.
  const reading = new AbortController();
  const signal = AbortSignal.any([stop, reading.signal]);
  try {
    const parts = await connect(signal, options, counters);
    const { outbox, uplink, worker, reflectors, failures } = parts;
    const tasks = [
      uplink.run(signal),
      outbox.run(signal),
      worker.run(signal),
      failures.run(signal),
      reflectors.watch(signal),
      declareScope(signal, options, parts),
    ];
    try {
      await Promise.all(tasks);
    } finally {
      reading.abort(new Error("the agent has stopped"));
      await reflectors.stop();
      await Promise.allSettled(tasks);
    }
  } catch (error) {
    if (!stop.aborted) {
      throw error;
    }
  }
}

interface ConnectedAgent {
  readonly kube: KubeTransport;
  readonly outbox: Outbox;
  readonly uplink: Uplink;
  readonly worker: ComparisonWorker;
  readonly reflectors: Reflectors;
  readonly failures: FailureLog;
}

/** Creates the parts in the order of their dependencies: each part depends only on earlier ones. */
async function connect(
  signal: AbortSignal,
  options: AgentOptions,
  counters: AgentCounters,
): Promise<ConnectedAgent> {
  const { clock, random, log, tracer, openSync, cluster, agentVersion } = options;
  const { tuning = DEFAULT_AGENT_TUNING } = options;
  const kube = withListLimit(withDeadlines(options.kube, clock, REQUEST_DEADLINES), clock, LIST_LIMIT);
  const clusterUid = await retry(signal, retryOptions(options, "reading the cluster's uid"), () =>
    getClusterUid(signal, kube),
  );
  const kubernetesVersion = await readKubernetesVersion(signal, options, kube);
  const outbox = new Outbox({ clock, ...tuning });
  registerOutboxMetrics(options.metrics, outbox.state);
  const epoch = (): bigint => outbox.epoch;
  const renewSession = (of: bigint, reason: string): void => outbox.renewSession(of, reason);
  const failures = new FailureLog(log, clock);
  const context = {
    clock,
    random,
    log,
    failures,
    evidence: new RestoreEvidence(clock),
    tracer,
    kube,
    tuning,
    counters,
    clusterUid,
    epoch,
    renewSession,
  };
  const reflectors = new Reflectors(context, outbox);
  const worker = new ComparisonWorker({
    clock,
    log,
    failures,
    counters,
    limits: tuning,
    reflectorOf: (resourceKey) => reflectors.get(resourceKey),
    resourceKeys: () => reflectors.keys(),
  });
  const instanceId = random.uuid();
  const uplink = new Uplink({
    ...{ clock, random, log, openSync, tuning, counters, outbox },
    hello: create(HelloSchema, { cluster, clusterUid, instanceId, agentVersion, kubernetesVersion }),
    onBatch: createBatchProcessor(worker, options.batchHandlers),
  });
  return { kube, outbox, uplink, worker, reflectors, failures };
}

/**
 * Returns the version of the API server, or an empty string if the request fails: nothing depends on the
 * version.
 */
async function readKubernetesVersion(
  signal: AbortSignal,
  { log }: AgentOptions,
  kube: KubeTransport,
): Promise<string> {
  try {
    return await getServerVersion(signal, kube);
  } catch (error) {
    signal.throwIfAborted();
    log.info("version of the API server unknown", { error: toMessage(error) });
    return "";
  }
}

/** Follows the scope from the first Welcome on. */
async function declareScope(
  signal: AbortSignal,
  options: AgentOptions,
  parts: ConnectedAgent,
): Promise<void> {
  const { clock, random, log, tuning = DEFAULT_AGENT_TUNING } = options;
  const { kube, outbox, uplink, reflectors } = parts;
  await uplink.welcomed(signal);
  const storedScope = () => uplink.storedScope;
  const ports = { kube, clock, random, log };
  await followScope(signal, { ...ports, tuning, selection: options, outbox, reflectors, storedScope });
}

function retryOptions({ clock, random, log, tuning }: AgentOptions, name: string): RetryOptions {
  const { backoff } = tuning ?? DEFAULT_AGENT_TUNING;
  return { clock, random, log, name, backoff, classify: classifyError };
}
