import { create } from "@bufbuild/protobuf";
import { BatchType } from "../../gen/proto/evenkeel/v1/batch_pb.ts";
import { HelloSchema } from "../../gen/proto/evenkeel/v1/sync_service_pb.ts";
import type { OpenSync } from "../domain/open-sync.ts";
import { wholeGroup } from "../domain/resource-type.ts";
import { getClusterUid } from "../kube/cluster-uid.ts";
import { withDeadlines } from "../kube/deadline-transport.ts";
import { discover } from "../kube/discovery.ts";
import type { KubeTransport } from "../kube/kube.ts";
import { getServerVersion } from "../kube/server-version.ts";
import { createBackoff } from "../lib/backoff.ts";
import type { Clock } from "../lib/clock.ts";
import { RetryableError, toMessage } from "../lib/errors.ts";
import type { Log } from "../lib/log.ts";
import type { Metrics } from "../lib/metrics.ts";
import type { Random } from "../lib/random.ts";
import type { Tracer } from "../lib/tracer.ts";
import { ComparisonError } from "./compare/comparison-error.ts";
import { ComparisonWorker } from "./compare/comparison-worker.ts";
import type { AgentOptions } from "./config.ts";
import { type AgentCounters, createAgentCounters, registerAgentMetrics } from "./metrics.ts";
import { handlerFor } from "./process-batch.ts";
import { ScopeTracker } from "./scope/scope-tracker.ts";
import { selectResources } from "./scope/select-resources.ts";
import { Uplink } from "./uplink/uplink.ts";
import { Reflectors } from "./watch/reflectors.ts";

/** What an agent is made of. */
export interface AgentDependencies {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly tracer: Tracer;
  readonly kube: KubeTransport;
  readonly openSync: OpenSync;
  readonly config: AgentOptions;
}

/** Reads one cluster and delivers what it sees. */
export interface Agent {
  /** What it has done so far. */
  readonly counters: Readonly<AgentCounters>;
  /**
   * Runs until `signal` aborts; then it delivers what is pending, for at most `flushMs`, and resolves.
   * Rejects with `ConfigError` for a bad configuration, and with `TerminalError` when the backend refuses the
   * agent for good or the API server turns into another cluster's. Once.
   */
  run(signal: AbortSignal): Promise<void>;
}

const REQUEST_DEADLINES = { requestMs: 60_000, watchGraceMs: 15_000 };

/**
 * Makes an agent. Its identity towards the backend is new: what it delivered before is compared when it
 * connects.
 */
export function createAgent(options: AgentDependencies): Agent {
  const counters = createAgentCounters();
  registerAgentMetrics(options.metrics, counters);
  return { counters, run: (signal) => runAgent(signal, options, counters) };
}

async function runAgent(
  stop: AbortSignal,
  options: AgentDependencies,
  counters: AgentCounters,
): Promise<void> {
  // A name that is none is found before anything is asked for.
  selectResources({ resources: [], unanswered: [] }, options.config);
  // The reading parts end first; the uplink delivers what they left.
  const reading = new AbortController();
  const signal = AbortSignal.any([stop, reading.signal]);
  try {
    const parts = await connect(signal, options, counters);
    const { uplink, worker, reflectors } = parts;
    const tasks = [
      uplink.run(signal),
      worker.run(signal),
      reflectors.watch(signal),
      followScope(signal, options, parts),
    ];
    try {
      await Promise.all(tasks);
    } finally {
      reading.abort(new Error("the agent stops"));
      await reflectors.stop();
      await Promise.allSettled(tasks);
    }
  } catch (error) {
    if (!stop.aborted) {
      throw error;
    }
  }
}

interface Parts {
  readonly kube: KubeTransport;
  readonly uplink: Uplink;
  readonly worker: ComparisonWorker;
  readonly reflectors: Reflectors;
}

async function connect(
  signal: AbortSignal,
  options: AgentDependencies,
  counters: AgentCounters,
): Promise<Parts> {
  const { clock, random, log, openSync, config } = options;
  const { tuning } = config;
  const kube = withDeadlines(options.kube, clock, REQUEST_DEADLINES);
  const clusterUid = await retry(signal, options, "the cluster's uid", () => getClusterUid(signal, kube));
  const hello = create(HelloSchema, {
    cluster: config.cluster,
    clusterUid,
    instanceId: random.uuid(),
    agentVersion: config.agentVersion,
    kubernetesVersion: await readKubernetesVersion(signal, options, kube),
  });
  const worker = new ComparisonWorker({
    log,
    counters,
    maxInventoryBytes: tuning.maxInventoryBytes,
    reflectorOf: (resourceKey) => reflectors.get(resourceKey),
  });
  const handlers = { [BatchType.RECONCILIATION]: worker.handle.bind(worker) };
  const uplink = new Uplink({
    clock,
    random,
    log,
    openSync,
    hello,
    tuning,
    counters,
    onBatch(session, batch) {
      try {
        handlerFor(handlers, batch.type)(session, batch);
      } catch (error) {
        worker.refuse(session, batch, error);
      }
    },
    onOverflow(session, batch) {
      worker.refuse(
        session,
        batch,
        new ComparisonError("Overflow", "batches came faster than they could be taken"),
      );
    },
  });
  const context = {
    clock,
    random,
    log,
    tracer: options.tracer,
    kube,
    config: tuning,
    counters,
    clusterUid,
    epoch: () => uplink.epoch,
  };
  const reflectors = new Reflectors(context, uplink.outbox);
  return { kube, uplink, worker, reflectors };
}

/** Reads the version of the API server; empty if it does not answer, because nothing depends on it. */
async function readKubernetesVersion(
  signal: AbortSignal,
  { log }: AgentDependencies,
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

/** Declares what is read: after the first Welcome, and again whenever discovery finds something else. */
async function followScope(signal: AbortSignal, options: AgentDependencies, parts: Parts): Promise<never> {
  const { clock, config } = options;
  const { kube, uplink, reflectors } = parts;
  const scope = new ScopeTracker(kube);
  await uplink.welcomed(signal);
  for (let isFirst = true; ; isFirst = false) {
    const changed = await retry(signal, options, "what the cluster serves", async () => {
      const discovery = await discover(signal, kube);
      const { resources, undecided } = selectResources(discovery, config);
      const [unanswered] = undecided;
      // Later a group that does not answer keeps its kinds; at first nobody knows which it has.
      if (isFirst && unanswered !== undefined) {
        const group = `${unanswered.group}/${unanswered.version}`;
        throw new RetryableError(
          `${group} does not answer (${unanswered.message}); ` +
            `wait, or exclude "${wholeGroup(unanswered.group)}"`,
        );
      }
      return await scope.update(signal, discovery, resources);
    });
    if (changed || isFirst) {
      uplink.outbox.declareScope({
        resources: scope.resources.map((resource) => resource.scope),
        namespaces: [...new Set(config.namespaces)].toSorted(),
      });
      await reflectors.follow(signal, scope.resources, { sendAll: !isFirst });
    }
    await clock.sleep(signal, config.tuning.discoveryMs);
  }
}

async function retry<T>(
  signal: AbortSignal,
  { clock, random, log, config }: AgentDependencies,
  what: string,
  attempt: () => Promise<T>,
): Promise<T> {
  const backoff = createBackoff(random, config.tuning.backoff);
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      signal.throwIfAborted();
      log.warn(`cannot read ${what}`, { error });
      const retryAfterMs = error instanceof RetryableError ? (error.retryAfterMs ?? 0) : 0;
      await clock.sleep(signal, Math.max(retryAfterMs, backoff.nextMs()));
    }
  }
}
