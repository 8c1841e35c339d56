import { setTimeout as delay } from "node:timers/promises";
import { KubeConfig } from "@kubernetes/client-node";
import { beforeAll, expect, it } from "vitest";
import { ReconciliationTrigger } from "../../../gen/proto/evenkeel/v1/batch_pb.ts";
import { createAgent } from "../../../src/agent/agent.ts";
import { DEFAULT_AGENT_TUNING } from "../../../src/agent/config.ts";
import { formatResourceType } from "../../../src/domain/resource-type.ts";
import { createKubeTransport } from "../../../src/kube/http-transport.ts";
import { createSilentLog } from "../../../src/lib/log.ts";
import { noMetrics } from "../../../src/lib/metrics.ts";
import { createSystemClock } from "../../../src/lib/system-clock.ts";
import { createSystemRandom } from "../../../src/lib/system-random.ts";
import { noTracer } from "../../../src/lib/tracer.ts";
import { FakeBackend } from "../../support/agent/fake-backend.ts";
import { describeWithKube } from "../../support/kube/control-plane.ts";
import { createKubeClient, type KubeClient } from "../../support/kube/kube-client.ts";

const NAMESPACE = "agent-it";

/** Waits for a condition; the test's own time limit ends a wait in vain. */
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

  it("lists, watches, fetches and converges", { timeout: 60_000 }, async () => {
    const transport = createTransport();
    const backend = new FakeBackend();
    const stop = new AbortController();
    await write("listed", "1");
    await write("doomed", "1");
    const agent = createAgent({
      clock: createSystemClock(),
      random: createSystemRandom(),
      log: createSilentLog(),
      metrics: noMetrics,
      tracer: noTracer,
      kube: transport,
      openSync: backend.openSync,
      config: {
        cluster: "test",
        resources: ["*"],
        excludeResources: [],
        namespaces: [NAMESPACE],
        agentVersion: "0",
        // Read by pages, so that the watch and a page are held against each other.
        tuning: { ...DEFAULT_AGENT_TUNING, maxSingleReads: 0 },
      },
    });
    const running = agent.run(stop.signal);
    const keys = (): string[] => Object.keys(backend.contents("configmaps"));
    try {
      await until(() => backend.scopes.length > 0);
      const scope =
        backend.scopes[0]?.resources.map(({ resourceType }) =>
          resourceType === undefined ? "" : formatResourceType(resourceType),
        ) ?? [];
      expect(scope).toEqual(
        expect.arrayContaining(["v1/configmaps", "v1/namespaces", "apps/v1/deployments"]),
      );
      expect(scope).not.toContain("v1/secrets");
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
