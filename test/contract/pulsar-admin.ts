import { beforeEach, describe, expect, it } from "vitest";
import type { Policies, TopicPolicies } from "../../src/bus/pulsar/admin/policies.ts";
import type { PulsarAdmin } from "../../src/bus/pulsar/admin/pulsar-admin.ts";
import { ConflictError, NotFoundError } from "../../src/lib/errors.ts";

/** An adapter for a tenant that does not exist yet, with actions of other clients. */
export interface PulsarAdminHarness {
  readonly admin: PulsarAdmin;
  /** Publishes a message to a topic. */
  publish(topic: string): Promise<void>;
  /** Sets policies of a topic, and resolves when they are in force. */
  setTopicPolicies(topic: string, policies: TopicPolicies): Promise<void>;
}

/** Tests the guarantees of every adapter of the admin port. */
export function describePulsarAdmin(createHarness: () => PulsarAdminHarness): void {
  describe("the contract of the admin port", () => {
    const { signal } = new AbortController();
    const topic = "main/dead-letter";
    let harness: PulsarAdminHarness;
    let admin: PulsarAdmin;

    beforeEach(() => {
      harness = createHarness();
      admin = harness.admin;
    });

    const createMain = async (): Promise<void> => {
      await admin.createTenant(signal);
      await admin.createNamespace(signal, "main");
    };

    it("items that do not exist are undefined", async () => {
      expect(await admin.listNamespaces(signal)).toBeUndefined();
      await admin.createTenant(signal);
      expect(await admin.listNamespaces(signal)).toEqual([]);
      await admin.createNamespace(signal, "main");
      expect(await admin.listNamespaces(signal)).toEqual(["main"]);
      expect(await admin.countPartitions(signal, "main/events")).toBeUndefined();
      await admin.createTopic(signal, "main/events", 3);
      await admin.createTopic(signal, topic, 0);
      expect(await admin.countPartitions(signal, "main/events")).toBe(3);
      expect(await admin.countPartitions(signal, topic)).toBe(0);
    });

    it("creating any item twice is a conflict", async () => {
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
        inactiveTopics: { type: "kept" },
        autoTopicCreation: { type: "forbidden" },
      },
      {
        messageTtlSeconds: 60,
        backlogQuota: { limitBytes: 1000, policy: "consumer_backlog_eviction" },
        retention: { minutes: -1, megabytes: -1 },
        subscriptionExpirationMinutes: 5,
        inactiveTopics: { type: "deleted", afterSeconds: 60, mode: "delete_when_no_subscriptions" },
        autoTopicCreation: { type: "allowed", topicType: "non-partitioned" },
      },
    ])("the policies of a namespace are read as they were set: %j", async (policies) => {
      await createMain();
      expect(await admin.readPolicies(signal, "main")).toEqual({});
      const { messageTtlSeconds = 0, ...others } = policies;
      await admin.setPolicies(signal, "main", { messageTtlSeconds });
      expect(await admin.readPolicies(signal, "main")).toEqual({ messageTtlSeconds });
      await admin.setPolicies(signal, "main", others);
      expect(await admin.readPolicies(signal, "main")).toEqual(policies);
    });

    it("the policies of a topic are read, set and removed independently of the namespace's", async () => {
      await createMain();
      await admin.setPolicies(signal, "main", { messageTtlSeconds: 5 });
      await admin.createTopic(signal, topic, 0);
      expect(await admin.readTopicPolicies(signal, topic)).toEqual({});
      const backlogQuota = { limitBytes: 10, policy: "consumer_backlog_eviction" };
      await harness.setTopicPolicies(topic, { backlogQuota });
      await admin.setTopicMessageTtl(signal, topic, 60);
      expect(await admin.readTopicPolicies(signal, topic)).toEqual({ messageTtlSeconds: 60, backlogQuota });
      await admin.removeTopicPolicy(signal, topic, "backlogQuota");
      expect(await admin.readTopicPolicies(signal, topic)).toEqual({ messageTtlSeconds: 60 });
      await admin.removeTopicPolicy(signal, topic, "messageTtlSeconds");
      expect(await admin.readTopicPolicies(signal, topic)).toEqual({});
    });

    it("the backlog of a subscription counts its unacknowledged messages from the earliest one", async () => {
      await createMain();
      await admin.createTopic(signal, topic, 0);
      await admin.createSubscription(signal, topic, "before");
      await harness.publish(topic);
      await harness.publish(topic);
      await admin.createSubscription(signal, topic, "after");
      const untouched = { backlog: 2, inReplay: 0, unacknowledged: 0, delivered: 0 };
      expect(await admin.readSubscription(signal, topic, "before")).toEqual(untouched);
      expect(await admin.readSubscription(signal, topic, "after")).toEqual(untouched);
      await expect(admin.readSubscription(signal, topic, "nobody")).rejects.toThrow(NotFoundError);
    });

    it("reading from an item that does not exist is an error", async () => {
      await admin.createTenant(signal);
      await expect(admin.readPolicies(signal, "main")).rejects.toThrow(NotFoundError);
      await expect(admin.setPolicies(signal, "main", { messageTtlSeconds: 0 })).rejects.toThrow(
        NotFoundError,
      );
      await expect(admin.createTopic(signal, topic, 0)).rejects.toThrow(NotFoundError);
      await expect(admin.listSubscriptions(signal, topic)).rejects.toThrow(NotFoundError);
      await expect(admin.createSubscription(signal, topic, "s")).rejects.toThrow(NotFoundError);
    });
  });
}
