import * as z from "zod/mini";
import type { Clock } from "../../../lib/clock.ts";
import { NotFoundError } from "../../../lib/errors.ts";
import { createTokenSource } from "../../../lib/token-source.ts";
import type { BusSettings } from "../../settings.ts";
import { type AdminTransport, readJson, undefinedIfAbsent } from "./http-transport.ts";
import { policiesJson, toPolicies } from "./policy-json.ts";
import { toPolicyRequests } from "./policy-request.ts";
import type { PulsarAdmin } from "./pulsar-admin.ts";
import { createTopicPolicies } from "./topic-policies.ts";

const names = z.array(z.string());
const metadata = z.object({ partitions: z.number() });
const subscriptionStats = z.object({
  msgBacklog: z.number(),
  msgInReplay: z._default(z.number(), 0),
  unackedMessages: z.number(),
  msgOutCounter: z.number(),
});
const stats = z.object({ subscriptions: z.record(z.string(), subscriptionStats) });
const configuration = z.object({
  maxMessageSize: z.coerce.number(),
  webSocketMaxTextFrameSize: z.coerce.number(),
  webSocketSessionIdleTimeoutMillis: z.coerce.number(),
});

/** Pulsar's notation of the position before a topic's first message. */
const EARLIEST = { ledgerId: -1, entryId: -1, partitionIndex: -1 };

/** Creates the administration of one tenant over Pulsar's admin REST API, version 2. */
export function createPulsarAdmin(transport: AdminTransport, tenant: string, clock: Clock): PulsarAdmin {
  const root = encodeURIComponent(tenant);
  const namespacePath = (namespace: string): string => `namespaces/${root}/${namespace}`;
  const topicPath = (topic: string): string => `persistent/${root}/${topic}`;

  return {
    ...createTopicPolicies(transport, clock, topicPath),

    listNamespaces: (signal) =>
      undefinedIfAbsent(async () => {
        const found = await readJson(signal, transport, names, { path: `namespaces/${root}` });
        return found.map((path) => path.slice(path.indexOf("/") + 1));
      }),

    async createTenant(signal) {
      const allowedClusters = await readJson(signal, transport, names, { path: "clusters" });
      await transport.send(signal, { method: "PUT", path: `tenants/${root}`, body: { allowedClusters } });
    },

    async createNamespace(signal, namespace) {
      await transport.send(signal, { method: "PUT", path: namespacePath(namespace) });
    },

    readPolicies: async (signal, namespace) =>
      toPolicies(await readJson(signal, transport, policiesJson, { path: namespacePath(namespace) })),

    async setPolicies(signal, namespace, policies) {
      for (const { path, ...request } of toPolicyRequests(policies)) {
        const below = `${namespacePath(namespace)}/${path}`;
        await transport.send(signal, { method: "POST", path: below, ...request });
      }
    },

    countPartitions: (signal, topic) =>
      undefinedIfAbsent(async () => {
        const path = `${topicPath(topic)}/partitions`;
        return (await readJson(signal, transport, metadata, { path })).partitions;
      }),

    async createTopic(signal, topic, partitions) {
      const path = topicPath(topic);
      const request = partitions === 0 ? { path } : { path: `${path}/partitions`, body: partitions };
      await transport.send(signal, { method: "PUT", ...request });
    },

    listSubscriptions: (signal, topic) =>
      readJson(signal, transport, names, { path: `${topicPath(topic)}/subscriptions` }),

    async createSubscription(signal, topic, subscription) {
      const path = `${topicPath(topic)}/subscription/${encodeURIComponent(subscription)}`;
      await transport.send(signal, { method: "PUT", path, body: EARLIEST });
    },

    async readSubscription(signal, topic, subscription) {
      const request = { path: `${topicPath(topic)}/stats`, query: { getPreciseBacklog: "true" } };
      const { subscriptions } = await readJson(signal, transport, stats, request);
      const found = subscriptions[subscription];
      if (found === undefined) {
        throw new NotFoundError(`the topic ${tenant}/${topic} has no subscription ${subscription}`);
      }
      return {
        backlog: found.msgBacklog,
        inReplay: found.msgInReplay,
        unacknowledged: found.unackedMessages,
        delivered: found.msgOutCounter,
      };
    },

    // The response is plain text, although its content type differs.
    readVersion: (signal) => transport.send(signal, { method: "GET", path: "brokers/version" }),

    async readBrokerLimits(signal) {
      const path = "brokers/configuration/runtime";
      const limits = await readJson(signal, transport, configuration, { path });
      return {
        maxMessageBytes: limits.maxMessageSize,
        maxTextFrameBytes: limits.webSocketMaxTextFrameSize,
        sessionIdleMs: limits.webSocketSessionIdleTimeoutMillis,
      };
    },
  };
}

/** Opens the admin API at `adminUrl` for the tenant of the settings. Sends no request. */
export async function openPulsarAdmin(
  { clock }: { readonly clock: Clock },
  bus: BusSettings,
  adminUrl: string,
): Promise<PulsarAdmin> {
  const { createAdminTransport } = await import("./http-transport.ts");
  const { createPulsarAdmin } = await import("./create-pulsar-admin.ts");
  const { trustCertsFile } = bus;
  const endpoint = { adminUrl, trustCertsFile, readToken: createTokenSource(bus)?.read };
  return createPulsarAdmin(createAdminTransport(endpoint, clock), bus.tenant, clock);
}
