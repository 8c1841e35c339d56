import { describe, expect, it } from "vitest";
import type { PulsarAdmin } from "../../../../../src/bus/pulsar/admin/pulsar-admin.ts";
import {
  type ApplyTopologyOptions,
  applyTopology,
} from "../../../../../src/bus/pulsar/topology/apply-topology.ts";
import { createTopology, type TopologyOptions } from "../../../../../src/event/pulsar-topology.ts";
import { ConflictError, RetryableError, TerminalError } from "../../../../../src/lib/errors.ts";
import {
  createMemoryPulsarAdmin,
  type MemoryPulsarAdmin,
} from "../../../../support/bus/memory-pulsar-admin.ts";

const { signal } = new AbortController();
const limits = { maxMessageBytes: 5000, maxTextFrameBytes: 8000, sessionIdleMs: 300_000 };
const options: TopologyOptions = {
  partitions: 4,
  backlogBytes: 1024 ** 3,
  eventRetentionMs: undefined,
  deadLetterRetentionMs: 60_000,
  limits,
};
const onlyMissing: ApplyTopologyOptions["mayChange"] = ({ found }) => found === undefined;
const everything = () => true;
const nothing = () => false;

function mend(admin: PulsarAdmin, mayChange = onlyMissing, changed: Partial<TopologyOptions> = {}) {
  const topology = createTopology({ ...options, ...changed });
  return applyTopology(signal, admin, { tenant: "acme", topology, mayChange });
}

async function prepared(): Promise<MemoryPulsarAdmin> {
  const admin = createMemoryPulsarAdmin(limits);
  await mend(admin);
  return admin;
}

describe("applyTopology", () => {
  it("all items are created in an empty instance, and no difference remains", async () => {
    const admin = createMemoryPulsarAdmin(limits);
    const first = await mend(admin);
    expect(first.applied.map(({ what }) => what)).toEqual([
      "tenant acme",
      "namespace main",
      "namespace main: message-ttl",
      "namespace main: backlog-quota",
      "namespace main: retention",
      "namespace main: subscription-expiration-time",
      "namespace main: inactive-topic-policies",
      "namespace main: auto-topic-creation",
      "namespace replies",
      "namespace replies: message-ttl",
      "namespace replies: backlog-quota",
      "namespace replies: subscription-expiration-time",
      "namespace replies: inactive-topic-policies",
      "namespace replies: auto-topic-creation",
      "topic main/events",
      "topic main/events: subscription ingester",
      "topic main/dead-letter",
      "topic main/dead-letter: subscription evenkeel",
      "topic main/dead-letter: message-ttl",
    ]);
    expect(first.remaining).toEqual([]);
    expect(await mend(admin)).toEqual({ applied: [], remaining: [], hasSeenLimits: true });
    expect(await admin.countPartitions(signal, "main/events")).toBe(4);
  });

  it("the topics of main drop no messages, and those of replies block no publisher", async () => {
    const admin = await prepared();
    expect(await admin.readPolicies(signal, "main")).toMatchObject({
      messageTtlSeconds: 0,
      subscriptionExpirationMinutes: 0,
      backlogQuota: { policy: "producer_exception" },
      inactiveTopics: { type: "kept" },
      autoTopicCreation: { type: "forbidden" },
    });
    expect(await admin.readPolicies(signal, "replies")).toMatchObject({
      messageTtlSeconds: 3600,
      backlogQuota: { policy: "consumer_backlog_eviction" },
      inactiveTopics: { type: "deleted" },
      autoTopicCreation: { type: "allowed", topicType: "non-partitioned" },
    });
  });

  it("nothing changes without permission", async () => {
    const admin = createMemoryPulsarAdmin(limits);
    const { applied, remaining } = await mend(admin, nothing);
    expect(applied).toEqual([]);
    expect(remaining).toHaveLength(19);
    expect(await admin.listNamespaces(signal)).toBeUndefined();
  });

  it("a value that another person set is reported, and stays until it may be changed", async () => {
    const admin = await prepared();
    await admin.setPolicies(signal, "main", {
      messageTtlSeconds: 60,
      backlogQuota: { limitBytes: 1000, policy: "consumer_backlog_eviction" },
    });
    const first = await mend(admin);
    expect(first.applied).toEqual([]);
    expect(first.remaining).toMatchObject([
      { what: "namespace main: message-ttl", wanted: "none", found: "1m" },
      {
        what: "namespace main: backlog-quota",
        wanted: "1 GiB, producer_exception",
        found: "1000 B, consumer_backlog_eviction",
      },
    ]);
    expect((await mend(admin, everything)).applied).toHaveLength(2);
    expect((await mend(admin)).remaining).toEqual([]);
  });

  it("a topic's own policy that hides its namespace's is found and removed", async () => {
    const admin = await prepared();
    const evicting = {
      messageTtlSeconds: 5,
      backlogQuota: { limitBytes: 9, policy: "consumer_backlog_eviction" },
    };
    admin.setTopicPolicies("main/events", evicting);
    admin.setTopicPolicies("main/dead-letter", evicting);
    const { remaining } = await mend(admin);
    expect(remaining).toMatchObject([
      { what: "topic main/events: message-ttl", wanted: "its namespace's", found: "5s" },
      {
        what: "topic main/events: backlog-quota",
        wanted: "its namespace's",
        found: "9 B, consumer_backlog_eviction",
      },
      { what: "topic main/dead-letter: message-ttl", wanted: "1m", found: "5s" },
      { what: "topic main/dead-letter: backlog-quota", wanted: "its namespace's" },
    ]);
    await mend(admin, everything);
    expect(await admin.readTopicPolicies(signal, "main/events")).toEqual({});
    expect(await admin.readTopicPolicies(signal, "main/dead-letter")).toEqual({ messageTtlSeconds: 60 });
  });

  it("the number of a topic's partitions never changes", async () => {
    const admin = await prepared();
    const { applied, remaining } = await mend(admin, everything, { partitions: 8 });
    expect(applied).toEqual([]);
    expect(remaining).toMatchObject([
      {
        what: "topic main/events",
        wanted: "8 partitions",
        found: "4 partitions",
        remedy: { advice: expect.stringContaining("for its life") },
      },
    ]);
    expect(await admin.countPartitions(signal, "main/events")).toBe(4);
  });

  it("a removed subscription is created", async () => {
    const admin = createMemoryPulsarAdmin(limits);
    await admin.createTenant(signal);
    await admin.createNamespace(signal, "main");
    await admin.createTopic(signal, "main/events", 4);
    await mend(admin);
    expect(await admin.listSubscriptions(signal, "main/events")).toEqual(["ingester"]);
  });

  it("the advice names the setting if a limit of the broker is below the largest object", async () => {
    const admin = await prepared();
    const larger = { maxMessageBytes: 6 * 1024, maxTextFrameBytes: 8001 };
    const { remaining } = await mend(admin, everything, { limits: larger });
    expect(remaining).toMatchObject([
      {
        what: "broker: maxMessageSize",
        wanted: "at least 6 KiB",
        found: "5000 B",
        remedy: { advice: expect.stringContaining("maxMessageSize=6144") },
      },
      {
        what: "broker: webSocketMaxTextFrameSize",
        remedy: { advice: expect.stringContaining("webSocketMaxTextFrameSize=8001") },
      },
    ]);
    expect((await mend(admin, everything, { limits: { maxMessageBytes: 5000 } })).remaining).toEqual([]);
  });

  it("the advice names the setting if a broker keeps the consumers of vanished programs for too long", async () => {
    const admin = await prepared();
    expect((await mend(admin, everything, { limits: { sessionIdleMs: 45_000 } })).remaining).toMatchObject([
      {
        what: "broker: webSocketSessionIdleTimeoutMillis",
        wanted: "at most 45s",
        found: "5m",
        remedy: { advice: expect.stringContaining("webSocketSessionIdleTimeoutMillis=45000") },
      },
    ]);
    expect((await mend(admin, everything, { limits: { sessionIdleMs: 300_000 } })).remaining).toEqual([]);
  });

  it.each([
    ["3.3.9", true],
    ["4.0.7", true],
    ["4.0.8", false],
    ["4.0.10", false],
    ["4.1.0-SNAPSHOT", false],
    ["5.0.0", false],
  ])("a broker of version %s is too old: %s", async (version, isOld) => {
    const { remaining } = await mend(createMemoryPulsarAdmin(limits, version));
    const difference = {
      what: "broker: version",
      wanted: "at least 4.0.8",
      found: version,
      remedy: { advice: expect.stringContaining("upgrade the brokers") },
    };
    expect(remaining).toEqual(isOld ? [difference] : []);
  });

  it("without permission to read the broker's limits, the rest is applied", async () => {
    const memory = createMemoryPulsarAdmin(limits);
    const admin: PulsarAdmin = {
      ...memory,
      readBrokerLimits: () => Promise.reject(new TerminalError("403")),
    };
    const { remaining, hasSeenLimits } = await mend(admin);
    expect([remaining, hasSeenLimits]).toEqual([[], false]);
    const away = { ...memory, readBrokerLimits: () => Promise.reject(new RetryableError("503")) };
    await expect(mend(away)).rejects.toThrow("503");
  });

  it("the retention of applied events is the configured one", async () => {
    const admin = createMemoryPulsarAdmin(limits);
    await mend(admin, onlyMissing, { eventRetentionMs: 90_001 });
    expect(await admin.readPolicies(signal, "main")).toMatchObject({
      retention: { minutes: 2, megabytes: -1 },
    });
  });
});

describe("applyTopology beside another client", () => {
  it("the topology is read again after a conflict", async () => {
    const memory = createMemoryPulsarAdmin(limits);
    const admin: PulsarAdmin = {
      ...memory,
      async createTenant(...args) {
        await memory.createTenant(...args);
        await memory.createTenant(...args);
      },
      async createTopic(...args) {
        await memory.createTopic(...args);
        throw new ConflictError("409");
      },
    };
    const { applied, remaining } = await mend(admin);
    expect(remaining).toEqual([]);
    const whats = applied.map(({ what }) => what);
    expect(new Set(whats).size).toBe(whats.length);
    expect(whats).not.toContain("tenant acme");
    expect(await mend(memory)).toMatchObject({ applied: [], remaining: [] });
  });

  it("a topic that another client created with other partitions is reported", async () => {
    const memory = createMemoryPulsarAdmin(limits);
    const admin: PulsarAdmin = {
      ...memory,
      async createTopic(_, topic, partitions) {
        await memory.createTopic(signal, topic, partitions * 2);
        throw new ConflictError("409");
      },
    };
    const { remaining } = await mend(admin, everything);
    expect(remaining).toMatchObject([{ what: "topic main/events", found: "8 partitions" }]);
  });

  it("applyTopology continues if another client removes many differences first", async () => {
    const memory = createMemoryPulsarAdmin(limits);
    const beaten = new Set<string>();
    /** On the first call another client makes the change first. */
    const race = async (what: string, change: () => Promise<void>): Promise<void> => {
      await change();
      if (!beaten.has(what)) {
        beaten.add(what);
        throw new ConflictError(`${what}: 409`);
      }
    };
    const admin: PulsarAdmin = {
      ...memory,
      createTenant: (s) => race("tenant", () => memory.createTenant(s)),
      createNamespace: (s, name) => race(name, () => memory.createNamespace(s, name)),
      setPolicies: (s, name, policies) =>
        race(`${name} ${Object.keys(policies)}`, () => memory.setPolicies(s, name, policies)),
      createTopic: (s, name, partitions) => race(name, () => memory.createTopic(s, name, partitions)),
      createSubscription: (s, topic, name) =>
        race(`${topic} ${name}`, () => memory.createSubscription(s, topic, name)),
    };
    expect((await mend(admin)).remaining).toEqual([]);
    expect(beaten.size).toBeGreaterThan(10);
  });

  it("applyTopology rejects after repeated conflicts at one difference", async () => {
    const memory = createMemoryPulsarAdmin(limits);
    let times = 0;
    const createTenant = async () => {
      times += 1;
      throw new ConflictError("it is always there");
    };
    await expect(mend({ ...memory, createTenant })).rejects.toThrow("it is always there");
    expect(times).toBe(5);
  });
});
