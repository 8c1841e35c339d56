import { DEFAULT_AGENT_TUNING } from "../../../src/agent/config.ts";
import { createAgentCounters } from "../../../src/agent/metrics.ts";
import type { Change } from "../../../src/agent/uplink/live-segment.ts";
import { Reflector, type ReflectorOptions } from "../../../src/agent/watch/reflector.ts";
import { RestoreEvidence } from "../../../src/agent/watch/restore-evidence.ts";
import { VersionTracker } from "../../../src/agent/watch/version-tracker.ts";
import { formatKey } from "../../../src/domain/object-key.ts";
import { getClusterUid } from "../../../src/kube/api-server.ts";
import type { KubeRequest, KubeTransport } from "../../../src/kube/kube.ts";
import { waitFor } from "../../../src/lib/abort.ts";
import { createSeededRandom } from "../../../src/lib/random.ts";
import { noTracer } from "../../../src/lib/telemetry.ts";
import { SimulatedCluster } from "../../../src/simulation/simulated-cluster.ts";
import { createSimulatedTransport } from "../../../src/simulation/simulated-transport.ts";
import { ManualClock } from "../manual-clock.ts";
import { CONFIG_MAPS } from "../store/messages.ts";
import { createTestLog } from "../vitest/test-log.ts";

/** A reflector of ConfigMaps alone, between a simulated cluster and a list of what it sends. */
export class ReflectorWorld implements AsyncDisposable {
  readonly clock = new ManualClock();
  readonly cluster = new SimulatedCluster({ clock: this.clock, random: createSeededRandom(1) });
  readonly counters = createAgentCounters();
  readonly changes: Change[] = [];
  readonly stop = new AbortController();
  readonly versions = new VersionTracker();
  /** Epoch of the present session. */
  epoch = 1n;
  /** Settles when the sink has room for a change. */
  room: Promise<void> = Promise.resolve();
  /** Called for each change. */
  onOffer: () => void = () => {};
  /** Called for each request, when the API server has answered and the reflector does not know the answer yet. */
  onAnswer: (request: KubeRequest) => void = () => {};
  #running: Promise<void> = Promise.resolve();

  constructor() {
    this.cluster.create({ apiVersion: "v1", kind: "Namespace", metadata: { name: "kube-system" } });
  }

  /** Runs a reflector until the world is disposed of. */
  async start(options: Partial<ReflectorOptions> = {}): Promise<Reflector> {
    const transport = createSimulatedTransport(this.cluster);
    const kube: KubeTransport = {
      get: async (signal, request) => {
        const response = await transport.get(signal, request);
        this.onAnswer(request);
        return response;
      },
    };
    const context = {
      clock: this.clock,
      random: createSeededRandom(2),
      log: createTestLog("reflector"),
      failures: { failed: () => {}, worked: () => {}, noticed: () => {} },
      tracer: noTracer,
      kube,
      tuning: DEFAULT_AGENT_TUNING,
      counters: this.counters,
      resourceType: CONFIG_MAPS,
      contentFormat: "f1",
      versions: this.versions,
      evidence: new RestoreEvidence(this.clock),
      clusterUid: await getClusterUid(this.stop.signal, kube),
      epoch: () => this.epoch,
      renewSession: () => {},
    };
    const sink = {
      whenRoom: async (signal: AbortSignal, add: () => void) => {
        await waitFor(signal, this.room);
        signal.throwIfAborted();
        add();
      },
      offer: (change: Change) => {
        this.changes.push(change);
        this.onOffer();
      },
      dropPuts: () => {},
    };
    const all = { namespaces: [], isWatchable: true, sendAll: false, ...options };
    const reflector = new Reflector(context, sink, all);
    this.#running = reflector.run(this.stop.signal);
    this.#running.catch(() => {});
    await this.clock.advance(0);
    return reflector;
  }

  /** Rejects with the error that ended the reflector. */
  get ended(): Promise<void> {
    return this.#running;
  }

  configMap(name: string, namespace = "default"): void {
    this.cluster.create({ apiVersion: "v1", kind: "ConfigMap", metadata: { namespace, name } });
  }

  /** Changes that the reflector sent, as "putObject default/a". */
  get sent(): string[] {
    return this.changes.map(({ item: { message } }) => {
      const ref = message.value?.ref;
      return `${message.case} ${ref === undefined ? "" : formatKey(ref)}`;
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.stop.abort(new Error("the test has ended"));
    await this.#running.catch(() => {});
  }
}
