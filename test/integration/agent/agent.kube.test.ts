import { setTimeout as delay } from "node:timers/promises";
import { KubeConfig } from "@kubernetes/client-node";
import { beforeAll, expect, it } from "vitest";
import { ReconciliationTrigger } from "../../../gen/proto/evenkeel/v1/batch_pb.ts";
import { type AgentOptions, createAgent } from "../../../src/agent/agent.ts";
import { DEFAULT_AGENT_TUNING } from "../../../src/agent/config.ts";
import { DEFAULT_EXCLUDED_RESOURCES } from "../../../src/config/programs/agent.ts";
import { formatResourceType, parseResourceType, resourceTypeKey } from "../../../src/domain/resource-type.ts";
import { discover } from "../../../src/kube/discovery.ts";
import { createKubeTransport } from "../../../src/kube/http-transport.ts";
import type { KubeTransport } from "../../../src/kube/kube.ts";
import { createSystemClock } from "../../../src/lib/clock.ts";
import { createSystemRandom } from "../../../src/lib/random.ts";
import { noMetrics, noTracer } from "../../../src/lib/telemetry.ts";
import { FakeBackend } from "../../support/agent/fake-backend.ts";
import { runForTest } from "../../support/cli/run-for-test.ts";
import { describeWithKube } from "../../support/kube/control-plane.ts";
import { createKubeClient, type KubeClient } from "../../support/kube/kube-client.ts";
import { createTestLog } from "../../support/vitest/test-log.ts";

const NAMESPACE = "agent-it";

/** The resource types that the agent declared first, with versions. */
function scopeOf(backend: FakeBackend): string[] {
  return (backend.scopes[0]?.resources ?? []).map(({ resourceType }) =>
    resourceType === undefined ? "" : formatResourceType(resourceType),
  );
}

/** Waits for a condition; the time limit of the test bounds the wait. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) {
    await delay(20);
  }
}

describeWithKube("an agent at a real API server", (controlPlane) => {
  let client: KubeClient;
  beforeAll(async () => {
    client = createKubeClient(controlPlane());
    await client.send("POST", "/api/v1/namespaces", { metadata: { name: NAMESPACE } });
  });

  const path = `/api/v1/namespaces/${NAMESPACE}/configmaps`;
  const write = (name: string, value: string): Promise<unknown> =>
    client.send("POST", path, { metadata: { name }, data: { value } });

  function createTransport() {
    const { serverUrl, caPath, token } = controlPlane();
    const config = new KubeConfig();
    config.loadFromClusterAndUser(
      { name: "test", server: serverUrl, caFile: caPath, skipTLSVerify: false },
      { name: "test", token },
    );
    return createKubeTransport(config);
  }

  function createTestAgent(
    transport: KubeTransport,
    backend: FakeBackend,
    config: Partial<AgentOptions>,
  ): ReturnType<typeof createAgent> {
    return createAgent({
      clock: createSystemClock(),
      random: createSystemRandom(),
      log: createTestLog("agent"),
      metrics: noMetrics,
      tracer: noTracer,
      kube: transport,
      openSync: backend.openSync,
      cluster: "test",
      resources: ["*"],
      excludeResources: DEFAULT_EXCLUDED_RESOURCES,
      namespaces: [],
      agentVersion: "0",
      // Reads by pages, so that the test compares a page with the watch.
      tuning: { ...DEFAULT_AGENT_TUNING, maxSingleReads: 0 },
      ...config,
    });
  }

  /** The scope that an agent with this configuration declares. */
  async function declaredScope(config: Partial<AgentOptions>): Promise<string[]> {
    const transport = createTransport();
    const backend = new FakeBackend();
    const stop = new AbortController();
    const running = createTestAgent(transport, backend, config).run(stop.signal);
    try {
      await until(() => backend.scopes.length > 0);
      return scopeOf(backend);
    } finally {
      stop.abort(new Error("the test has ended"));
      await running;
      transport.close();
    }
  }

  /** Resource types of a wildcard without exclusions: those to list and watch, in the preferred version. */
  async function followable(): Promise<string[]> {
    const transport = createTransport();
    try {
      const { resources } = await discover(new AbortController().signal, transport);
      const readable = resources.filter(({ verbs }) => verbs.includes("list") && verbs.includes("watch"));
      const byKey = new Map(readable.toReversed().map((found) => [resourceTypeKey(found), found]));
      return [...byKey.values()].map(formatResourceType).toSorted();
    } finally {
      transport.close();
    }
  }

  it("reads for * exactly the resource types that --help does not exclude", async () => {
    const { out } = await runForTest(["agent", "--help"]);
    const [, list = ""] = /EVENKEEL_EXCLUDE_RESOURCES, default\s([^)]+)\)/.exec(out) ?? [];
    const excluded = list.split(",").map((name) => name.trim());
    expect(excluded).toContain("endpoints");
    const expected = (await followable()).filter((text) => {
      const { group = "", resource = "" } = parseResourceType(text) ?? {};
      return !excluded.includes(resourceTypeKey({ group, resource })) && !excluded.includes(`*.${group}`);
    });
    expect((await declaredScope({ excludeResources: excluded })).toSorted()).toEqual(expected);
  });

  it("reads Events and Leases without exclusions, and Secrets only by name", async () => {
    const all = await declaredScope({ excludeResources: [] });
    expect(all).toEqual(
      expect.arrayContaining([
        "events.v1.",
        "leases.v1.coordination.k8s.io",
        "endpointslices.v1.discovery.k8s.io",
      ]),
    );
    expect(all.toSorted()).toEqual((await followable()).filter((text) => text !== "secrets.v1."));
    expect(await declaredScope({ resources: ["*.apps", "secrets"] })).toEqual(
      expect.arrayContaining(["secrets.v1.", "deployments.v1.apps"]),
    );
  });

  it("reads a name without version in the preferred version", async () => {
    expect(await declaredScope({ resources: ["deployments.apps", "pods", "nodes.v1."] })).toEqual([
      "deployments.v1.apps",
      "nodes.v1.",
      "pods.v1.",
    ]);
  });

  it("lists, watches, fetches and converges", async () => {
    const transport = createTransport();
    const backend = new FakeBackend();
    const stop = new AbortController();
    await write("listed", "1");
    await write("doomed", "1");
    const agent = createTestAgent(transport, backend, { namespaces: [NAMESPACE] });
    const running = agent.run(stop.signal);
    const keys = (): string[] => Object.keys(backend.contents("configmaps"));
    try {
      await until(() => backend.scopes.length > 0);
      const scope = scopeOf(backend);
      expect(scope).toEqual(
        expect.arrayContaining(["configmaps.v1.", "namespaces.v1.", "deployments.v1.apps"]),
      );
      expect(scope).not.toContain("secrets.v1.");
      backend.ask("configmaps", { trigger: ReconciliationTrigger.CONNECT });
      await until(() => backend.reconciled.length === 1);
      expect(backend.reconciled[0]?.failure).toBeUndefined();
      expect(keys()).toEqual(expect.arrayContaining([`${NAMESPACE}/doomed`, `${NAMESPACE}/listed`]));

      await write("watched", "1");
      await client.send("DELETE", `${path}/doomed`);
      await until(() => keys().includes(`${NAMESPACE}/watched`) && !keys().includes(`${NAMESPACE}/doomed`));

      // A page and a watch event give an object the same content.
      backend.ask("configmaps");
      await until(() => backend.reconciled.length === 2);
      expect(backend.reconciled[1]).toMatchObject({
        put: 0n,
        deleted: 0n,
        equal: backend.reconciled[1]?.listed,
      });
      const before = backend.contents("configmaps");
      backend.rows.clear();
      backend.ask("configmaps");
      await until(() => backend.reconciled.length === 3);
      expect(backend.contents("configmaps")).toEqual(before);
    } finally {
      stop.abort(new Error("the test has ended"));
      await running;
      transport.close();
    }
  });
});
