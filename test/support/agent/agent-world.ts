import { createHash } from "node:crypto";
import { type Agent, type AgentOptions, createAgent } from "../../../src/agent/agent.ts";
import { type AgentTuning, DEFAULT_AGENT_TUNING } from "../../../src/agent/config.ts";
import { toContent } from "../../../src/agent/object-content.ts";
import type { OpenSync } from "../../../src/agent/uplink/session.ts";
import { parseExact } from "../../../src/domain/canonical-json.ts";
import { compareKeys, formatKey } from "../../../src/domain/object-key.ts";
import type { KubeRequest, KubeResponse, KubeTransport } from "../../../src/kube/kube.ts";
import type { KubeObject } from "../../../src/kube/kube-object.ts";
import { createSeededRandom } from "../../../src/lib/random.ts";
import { noMetrics, noTracer } from "../../../src/lib/telemetry.ts";
import { SimulatedCluster } from "../../../src/simulation/simulated-cluster.ts";
import { createSimulatedTransport } from "../../../src/simulation/simulated-transport.ts";
import { ManualClock } from "../manual-clock.ts";
import { createTestLog } from "../vitest/test-log.ts";
import { FakeBackend } from "./fake-backend.ts";

/** Intercepts each request to the simulated API server, and may answer it. */
export type Intercept = (
  request: KubeRequest,
  go: () => Promise<KubeResponse>,
) => Promise<KubeResponse> | KubeResponse;

/** Options that a test sets; the world sets the rest. */
type AgentOptionsOfTest = Omit<
  AgentOptions,
  "kube" | "openSync" | "clock" | "random" | "log" | "metrics" | "tracer"
>;

/** One agent between a simulated cluster and a backend in memory, on a manual clock. */
export class AgentWorld implements AsyncDisposable {
  readonly clock = new ManualClock();
  readonly backend: FakeBackend;
  readonly cluster: SimulatedCluster;
  readonly requests: string[] = [];
  readonly log = createTestLog("agent");
  intercept: Intercept = (_request, go) => go();
  /** Opens a session; a test may replace it. */
  connect: OpenSync = (signal, requests) => this.backend.openSync(signal, requests);
  agent: Agent;
  #stop = new AbortController();
  #running: Promise<void> = Promise.resolve();
  #agents = 0;
  readonly #options: AgentOptionsOfTest;

  constructor(
    options: Partial<AgentOptionsOfTest> = {},
    tuning: Partial<AgentTuning> = {},
    backend = new FakeBackend(),
  ) {
    this.backend = backend;
    this.cluster = new SimulatedCluster({ clock: this.clock, random: createSeededRandom(1) });
    if (this.cluster.get("namespaces", "", "kube-system") === undefined) {
      this.cluster.create({ apiVersion: "v1", kind: "Namespace", metadata: { name: "kube-system" } });
    }
    this.#options = {
      cluster: "test",
      resources: ["configmaps"],
      excludeResources: [],
      namespaces: [],
      agentVersion: "0",
      ...options,
      tuning: { ...DEFAULT_AGENT_TUNING, ...tuning },
    };
    this.agent = this.#create();
  }

  /** Starts a new agent, as a new process would. */
  async start(): Promise<void> {
    this.agent = this.#create();
    this.#stop = new AbortController();
    this.#running = this.agent.run(this.#stop.signal);
    this.#running.catch(() => {});
    await this.advance();
  }

  /** Stops the agent and waits for its end; rejects with its error. */
  async stop(): Promise<void> {
    this.#stop.abort(new Error("the test stops the agent"));
    await this.clock.advance(10_000);
    await this.#running;
  }

  /** Settles when the agent ends. */
  get ended(): Promise<void> {
    return this.#running;
  }

  /** Advances the time, and runs all work that waits for it. */
  async advance(ms = 100): Promise<void> {
    for (let i = 0; i < 10; i++) {
      await this.clock.advance(ms / 10);
    }
  }

  configMap(name: string, value: string, namespace = "default"): void {
    if (this.cluster.get("configmaps", namespace, name) === undefined) {
      this.cluster.create({
        apiVersion: "v1",
        kind: "ConfigMap",
        metadata: { namespace, name },
        data: { value },
      });
    } else {
      this.cluster.update("configmaps", namespace, name, (object) => ({ ...object, data: { value } }));
    }
  }

  /** Returns the cluster's objects of a resource type, in the form of `FakeBackend.contents`. */
  truth(resourceKey = "configmaps"): Record<string, string> {
    const entries = this.cluster.list(resourceKey).map((value) => {
      const object = parseExact(JSON.stringify(value)) as KubeObject;
      const { namespace = "", name } = object.metadata;
      return [formatKey({ namespace, name }), Buffer.from(toContent(object, "").content).toString()] as const;
    });
    return Object.fromEntries(entries.toSorted(([a], [b]) => compareKeys(a, b)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new Error("the test has ended"));
    await this.clock.advance(10_000);
    await this.#running.catch(() => {});
    if (this.clock.pending > 0 || this.cluster.watches > 0) {
      throw new Error(
        `the agent left ${this.clock.pending} timers and ${this.cluster.watches} watches behind`,
      );
    }
  }

  #create(): Agent {
    const transport = createSimulatedTransport(this.cluster);
    const kube: KubeTransport = {
      get: async (signal, request) => {
        this.requests.push(`${request.path}?${new URLSearchParams(request.query)}`);
        return await this.intercept(request, () => transport.get(signal, request));
      },
    };
    const seed = createHash("sha256")
      .update(`agent ${++this.#agents}`)
      .digest()
      .readUInt32LE();
    return createAgent({
      clock: this.clock,
      random: createSeededRandom(seed),
      log: this.log,
      metrics: noMetrics,
      tracer: noTracer,
      kube,
      openSync: (signal, requests) => this.connect(signal, requests),
      ...this.#options,
    });
  }
}

/** Creates a response in place of the API server's. */
export function respond(status: number, body: unknown = {}): KubeResponse {
  return {
    status,
    retryAfterMs: undefined,
    body: (async function* () {
      yield Buffer.from(JSON.stringify(body));
    })(),
  };
}
