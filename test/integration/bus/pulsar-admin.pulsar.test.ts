import { beforeEach, expect, it } from "vitest";
import type { Policies } from "../../../src/bus/pulsar-admin/policies.ts";
import type { PulsarAdmin } from "../../../src/bus/pulsar-admin/pulsar-admin.ts";
import { ConflictError, NotFoundError, TerminalError } from "../../../src/lib/errors.ts";
import { describeWithBroker } from "../../support/broker.ts";
import { createBrokerAdmin } from "../../support/broker-admin.ts";
import { waitFor } from "../../support/e2e/wait-for.ts";
import { administer, newTenant } from "../../support/pulsar-tenant.ts";

describeWithBroker("the admin API of a broker", (broker) => {
  const { signal } = new AbortController();
  let tenant: string;
  let admin: PulsarAdmin;

  beforeEach(() => {
    tenant = newTenant();
    admin = administer(broker().adminUrl, tenant);
  });

  const createMain = async (): Promise<void> => {
    await admin.createTenant(signal);
    await admin.createNamespace(signal, "main");
  };

  it("tells what is not there from what is", async () => {
    expect(await admin.listNamespaces(signal)).toBeUndefined();
    await admin.createTenant(signal);
    expect(await admin.listNamespaces(signal)).toEqual([]);
    await admin.createNamespace(signal, "main");
    expect(await admin.listNamespaces(signal)).toEqual(["main"]);
    expect(await admin.countPartitions(signal, "main/events")).toBeUndefined();
    await admin.createTopic(signal, "main/events", 3);
    await admin.createTopic(signal, "main/dead-letter", 0);
    expect(await admin.countPartitions(signal, "main/events")).toBe(3);
    expect(await admin.countPartitions(signal, "main/dead-letter")).toBe(0);
  });

  it("says of everything that is made twice that it is there", async () => {
    await createMain();
    await admin.createTopic(signal, "main/events", 2);
    await admin.createSubscription(signal, "main/events", "ingester");
    await expect(admin.createTenant(signal)).rejects.toThrow(ConflictError);
    await expect(admin.createNamespace(signal, "main")).rejects.toThrow(ConflictError);
    await expect(admin.createTopic(signal, "main/events", 4)).rejects.toThrow(ConflictError);
    const again = admin.createSubscription(signal, "main/events", "ingester");
    await expect(again).rejects.toThrow(ConflictError);
    expect(await admin.listSubscriptions(signal, "main/events")).toEqual(["ingester"]);
  });

  it.each<Policies>([
    {
      messageTtlSeconds: 0,
      backlogQuota: { limitBytes: 2 ** 32, policy: "producer_exception" },
      retention: { minutes: 0, megabytes: 0 },
      subscriptionExpirationMinutes: 0,
      inactiveTopics: { kind: "kept" },
      autoTopicCreation: { kind: "forbidden" },
    },
    {
      messageTtlSeconds: 60,
      backlogQuota: { limitBytes: 1000, policy: "consumer_backlog_eviction" },
      retention: { minutes: -1, megabytes: -1 },
      subscriptionExpirationMinutes: 5,
      inactiveTopics: { kind: "deleted", afterSeconds: 60, mode: "delete_when_no_subscriptions" },
      autoTopicCreation: { kind: "allowed", type: "non-partitioned" },
    },
    { messageTtlSeconds: 7 },
  ])("reads the namespace's policies as they were set: %j", async (policies) => {
    await createMain();
    expect(await admin.readPolicies(signal, "main")).toEqual({});
    await admin.setPolicies(signal, "main", policies);
    expect(await admin.readPolicies(signal, "main")).toEqual(policies);
  });

  it("reads, sets and takes away a topic's own policies, apart from the namespace's", async () => {
    await createMain();
    await admin.setPolicies(signal, "main", { messageTtlSeconds: 5 });
    await admin.createTopic(signal, "main/dead-letter", 0);
    expect(await admin.readTopicPolicies(signal, "main/dead-letter")).toEqual({});
    await admin.setTopicMessageTtl(signal, "main/dead-letter", 60);
    await createBrokerAdmin(broker().adminUrl).send(
      "POST",
      `persistent/${tenant}/main/dead-letter/backlogQuota?backlogQuotaType=destination_storage`,
      { limitSize: 10, policy: "consumer_backlog_eviction" },
    );
    await waitFor("the topic's policies", async () =>
      expect(await admin.readTopicPolicies(signal, "main/dead-letter")).toEqual({
        messageTtlSeconds: 60,
        backlogQuota: { limitBytes: 10, policy: "consumer_backlog_eviction" },
      }),
    );
    await admin.removeTopicPolicy(signal, "main/dead-letter", "messageTtlSeconds");
    await admin.removeTopicPolicy(signal, "main/dead-letter", "backlogQuota");
    expect(await admin.readTopicPolicies(signal, "main/dead-letter")).toEqual({});
  });

  it("counts what a subscription has not acknowledged, from the earliest message on", async () => {
    await createMain();
    await admin.createTopic(signal, "main/dead-letter", 0);
    await admin.createSubscription(signal, "main/dead-letter", "before");
    const url = `persistent/${tenant}/main/dead-letter`;
    for (let i = 0; i < 3; i++) {
      await publish(broker().webSocketUrl, url);
    }
    await admin.createSubscription(signal, "main/dead-letter", "after");
    for (const subscription of ["before", "after"]) {
      expect(await admin.countBacklog(signal, "main/dead-letter", subscription)).toBe(3);
    }
    const missing = admin.countBacklog(signal, "main/dead-letter", "nobody");
    await expect(missing).rejects.toThrow(NotFoundError);
  });

  it("reads the limits of messages and of WebSocket frames", async () => {
    const limits = await admin.readBrokerLimits(signal);
    expect(limits).toEqual({ maxMessageBytes: 5 * 1024 * 1024, maxTextFrameBytes: 8 * 1024 * 1024 });
  });

  it("refuses what Pulsar does not take, and says why", async () => {
    await createMain();
    const refused = admin.setPolicies(signal, "main", { retention: { minutes: 5, megabytes: 0 } });
    await expect(refused).rejects.toThrow(TerminalError);
    await expect(refused).rejects.toThrow(/400: .*retention/i);
  });
});

/** Publishes an empty message over the WebSocket API. */
async function publish(webSocketUrl: string, topic: string): Promise<void> {
  const socket = new WebSocket(`${webSocketUrl}/ws/v2/producer/${topic}`);
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  socket.addEventListener("open", () => socket.send('{"payload":""}'));
  socket.addEventListener("message", () => resolve());
  socket.addEventListener("error", () => reject(new Error("the WebSocket failed")));
  await promise;
  socket.close();
}
