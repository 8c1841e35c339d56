import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import {
  type Batch,
  BatchSchema,
  type BatchType,
  ReconciliationTrigger,
} from "../../../gen/proto/evenkeel/v1/batch_pb.ts";
import { DrainSchema } from "../../../gen/proto/evenkeel/v1/sync_service_pb.ts";
import type { UplinkSession } from "../../../src/agent/uplink/session.ts";
import { ConfigError } from "../../../src/lib/errors.ts";
import { AgentWorld, respond } from "../../support/agent/agent-world.ts";
import { syncedWorld } from "../../support/agent/synced-world.ts";

const CONNECT = ReconciliationTrigger.CONNECT;

describe("an agent", () => {
  it("brings a fresh cluster over by the run on connect, with one list", async () => {
    await using world = new AgentWorld();
    world.configMap("a", "1");
    world.configMap("b", "2");
    await world.start();
    world.backend.ask("configmaps", { trigger: CONNECT });
    await world.advance(2_000);
    expect(world.backend.contents("configmaps")).toEqual(world.truth());
    expect(world.agent.counters).toMatchObject({ sessions: 1, lists: 1, comparisonsSucceeded: 1 });
    const [reconciled] = world.backend.reconciled;
    expect(reconciled).toMatchObject({
      listed: 2n,
      equal: 0n,
      put: 2n,
      deleted: 0n,
      run: { attempt: 1 },
      scopeGeneration: 1n,
    });
    expect(reconciled?.listVersion).toBe(String(world.cluster.store.revision));
    expect(world.backend.received[0]?.message.case).toBe("scopeDeclared");
  });

  it("R3: an object deleted and made again under its name ends as the new one, found by run or by watch", async () => {
    await using world = await syncedWorld(["a"]);
    for (const down of [true, false]) {
      if (down) {
        await world.stop();
      }
      world.cluster.delete("configmaps", "default", "a");
      world.configMap("a", "again");
      if (down) {
        await world.start();
        world.backend.ask("configmaps", { trigger: CONNECT });
      }
      await world.advance(2_000);
      expect(world.backend.contents("configmaps")).toEqual(world.truth());
    }
  });

  it("sends what was not acknowledged again, in order, after a reconnect", async () => {
    await using world = new AgentWorld();
    await world.start();
    world.backend.holdAcknowledgements = true;
    world.configMap("a", "1");
    await world.advance();
    world.configMap("a", "2");
    await world.advance();
    world.backend.rows.clear();
    world.backend.holdAcknowledgements = false;
    world.backend.disconnect();
    await world.advance(5_000);
    expect(world.agent.counters.sessions).toBe(2);
    expect(world.backend.contents("configmaps")).toEqual(world.truth());
    expect(world.backend.received.map(({ sequence }) => sequence)).toEqual([1n, 2n, 3n]);
    expect(world.backend.scopes.map(({ generation }) => generation)).toEqual([1n, 1n]);
  });

  it("delivers what is pending before it stops", async () => {
    await using world = new AgentWorld();
    await world.start();
    world.backend.holdAcknowledgements = true;
    world.configMap("a", "1");
    await world.advance();
    const stopped = world.stop();
    world.backend.acknowledge();
    await stopped;
    expect(world.agent.counters.acknowledged).toBe(2n);
    expect(world.clock.pending).toBe(0);
  });

  it("refuses a batch of an unknown type by name", async () => {
    await using world = new AgentWorld();
    await world.start();
    const value = create(BatchSchema, {
      resourceType: { version: "v1", resource: "configmaps" },
      type: 77 as BatchType,
      chunk: { run: { runId: "00000000-0000-4000-8000-000000000001", attempt: 1 }, range: {} },
    });
    world.backend.send({ case: "batch", value });
    await world.advance(2_000);
    expect(world.backend.reconciled[0]?.failure).toMatchObject({ reason: "UnsupportedBatchType" });
    expect(world.backend.reconciled[0]?.failure?.message).toContain("77");
  });

  it("processes a batch of a further type with the handler that was given", async () => {
    const received: unknown[] = [];
    const batchHandlers = {
      77: (session: UplinkSession, batch: Batch): void => {
        received.push([session.epoch, batch.resourceType?.resource]);
      },
    };
    await using world = new AgentWorld({ batchHandlers });
    await world.start();
    const value = create(BatchSchema, {
      resourceType: { version: "v1", resource: "configmaps" },
      type: 77 as BatchType,
    });
    world.backend.send({ case: "batch", value });
    await world.advance();
    expect(received).toEqual([[1n, "configmaps"]]);
    expect(world.backend.reconciled).toEqual([]);
  });

  it("refuses a batch whose handler throws, and goes on", async () => {
    const batchHandlers = {
      77: (): void => {
        throw new Error("cannot process it");
      },
    };
    await using world = new AgentWorld({ batchHandlers });
    await world.start();
    const value = create(BatchSchema, {
      resourceType: { version: "v1", resource: "configmaps" },
      type: 77 as BatchType,
      chunk: { run: { runId: "00000000-0000-4000-8000-000000000001", attempt: 1 }, range: {} },
    });
    world.backend.send({ case: "batch", value });
    await world.advance(2_000);
    expect(world.backend.reconciled[0]?.failure?.message).toBe("cannot process it");
    expect(world.agent.counters.sessions).toBe(1);
  });

  it("introduces itself with the identity of its cluster and both versions", async () => {
    await using world = new AgentWorld({ cluster: "c1", agentVersion: "1.2.3" });
    await world.start();
    const namespace = world.cluster.get("namespaces", "", "kube-system");
    expect(world.backend.hellos).toMatchObject([
      {
        cluster: "c1",
        clusterUid: namespace?.metadata.uid,
        instanceId: expect.stringMatching(/^[0-9a-f-]{36}$/),
        agentVersion: "1.2.3",
        kubernetesVersion: expect.stringMatching(/^v1\./),
      },
    ]);
  });

  it("does not wait for the version of the API server", async () => {
    await using world = new AgentWorld();
    world.intercept = ({ path }, go) => (path === "/version" ? respond(403) : go());
    await world.start();
    expect(world.backend.hellos).toMatchObject([{ kubernetesVersion: "" }]);
    expect(world.log.lines).toContain("info version of the API server unknown: GET /version: 403 Forbidden");
  });

  it.each([{ resources: ["*", "pods.v1.apps.x/y"] }, { excludeResources: ["a b"] }])(
    "ends before its first request with a malformed name: %o",
    async (options) => {
      await using world = new AgentWorld(options);
      await world.start();
      await expect(world.ended).rejects.toThrow(ConfigError);
      expect(world.requests).toEqual([]);
    },
  );

  it("ends without an error when it is stopped before it reached the API server", async () => {
    await using world = new AgentWorld();
    world.intercept = () => respond(503);
    await world.start();
    await world.stop();
    expect(world.backend.hellos).toEqual([]);
    expect(world.clock.pending).toBe(0);
  });

  it("waits for a role that allows its requests", async () => {
    await using world = new AgentWorld();
    world.configMap("a", "1");
    let isForbidden = true;
    world.intercept = (_request, go) => (isForbidden ? respond(403) : go());
    await world.start();
    await world.advance(120_000);
    expect(world.backend.hellos).toEqual([]);
    isForbidden = false;
    await world.advance(60_000);
    expect(world.backend.scopes).toHaveLength(1);
  });

  it("R75: logs the resource types that it may not list once, in one line, whatever runs and retries follow", async () => {
    const resources = ["configmaps", "services", "deployments.apps"];
    await using world = new AgentWorld({ resources });
    const denied = [...resources, "customresourcedefinitions", "apiservices"];
    world.intercept = ({ path }, go) =>
      denied.some((name) => path.endsWith(`/${name.split(".")[0]}`)) ? respond(403) : go();
    await world.start();
    for (let run = 0; run < 3; run += 1) {
      for (const name of resources) {
        world.backend.ask(name);
        await world.advance(200_000);
      }
    }
    expect(world.agent.counters.comparisonsFailed).toBe(9);
    const lines = world.log.entries.filter(({ fields }) => fields["reason"] === "Forbidden");
    expect(lines.map(({ fields }) => [fields["count"], fields["resourceTypes"]])).toEqual([
      [3, expect.arrayContaining(resources)],
    ]);
    // The others are about the two watches of definitions.
    expect(world.log.lines.filter((line) => line.includes("403"))).toHaveLength(1 + 2);
  });

  it("ends with the error of a configuration that no request can be sent with", async () => {
    await using world = new AgentWorld();
    world.intercept = () => {
      throw new ConfigError("the kubeconfig has no current cluster");
    };
    await world.start();
    await expect(world.ended).rejects.toThrow(ConfigError);
  });

  it("R40: ends when the API server turns into another cluster's, and says nothing of what that one lacks", async () => {
    await using world = await syncedWorld(["a"]);
    const before = world.backend.contents("configmaps");
    world.cluster.delete("namespaces", "", "kube-system");
    world.cluster.create({ apiVersion: "v1", kind: "Namespace", metadata: { name: "kube-system" } });
    world.cluster.faults.loseNextWatchEvent("configmaps");
    world.cluster.delete("configmaps", "default", "a");
    world.backend.ask("configmaps");
    await world.advance(2_000);
    await expect(world.ended).rejects.toThrow("expected the cluster with kube-system uid");
    expect(world.backend.contents("configmaps")).toEqual(before);
    expect(world.backend.reconciled.at(-1)?.failure?.reason).toBe("ClusterChanged");
  });

  it("takes Drain's delay before it comes back", async () => {
    await using world = new AgentWorld();
    await world.start();
    world.backend.send({ case: "drain", value: create(DrainSchema, { retryAfter: { seconds: 60n } }) });
    await world.advance(59_000);
    expect(world.agent.counters.sessions).toBe(1);
    await world.advance(30_000);
    expect(world.agent.counters.sessions).toBe(2);
  });
});
