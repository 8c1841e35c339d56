import { expect, it } from "vitest";
import { createBrokerAdmin } from "../../../deploy/local/components/broker-admin.ts";
import { TerminalError } from "../../../src/lib/errors.ts";
import { describePulsarAdmin } from "../../contract/pulsar-admin.ts";
import { describeWithBroker } from "../../support/bus/broker.ts";
import { administer, newTenant } from "../../support/bus/pulsar-tenant.ts";
import { eventually } from "../../support/e2e/eventually.ts";

const { signal } = new AbortController();

describeWithBroker("the admin API of a broker", (broker) => {
  describePulsarAdmin(() => {
    const { adminUrl, webSocketUrl } = broker();
    const tenant = newTenant();
    const admin = administer(adminUrl, tenant);
    return {
      admin,
      publish: (topic) => publish(`${webSocketUrl}/ws/v2/producer/persistent/${tenant}/${topic}`),
      async setTopicPolicies(topic, policies) {
        const { limitBytes: limitSize, policy } = policies.backlogQuota ?? {};
        const path = `persistent/${tenant}/${topic}/backlogQuota?backlogQuotaType=destination_storage`;
        await createBrokerAdmin(adminUrl).send("POST", path, { limitSize, policy });
        await eventually("the topic's policies", async () =>
          expect(await admin.readTopicPolicies(signal, topic)).toEqual(policies),
        );
      },
    };
  });

  it("the broker returns its limits of messages, of WebSocket frames and of silent connections", async () => {
    const limits = await administer(broker().adminUrl, newTenant()).readBrokerLimits(signal);
    expect(limits).toEqual({
      maxMessageBytes: 5 * 1024 * 1024,
      maxTextFrameBytes: 8 * 1024 * 1024,
      sessionIdleMs: 45_000,
    });
  });

  it("the broker returns its version", async () => {
    const version = await administer(broker().adminUrl, newTenant()).readVersion(signal);
    expect(version).toMatch(/^\d+\.\d+\.\d+$/);
  });

  it("a request that Pulsar refuses is a terminal error with the reason", async () => {
    const admin = administer(broker().adminUrl, newTenant());
    await admin.createTenant(signal);
    await admin.createNamespace(signal, "main");
    const refused = admin.setPolicies(signal, "main", { retention: { minutes: 5, megabytes: 0 } });
    await expect(refused).rejects.toThrow(TerminalError);
    await expect(refused).rejects.toThrow(/400: .*retention/i);
  });
});

/** Publishes an empty message over the WebSocket API. */
async function publish(url: string): Promise<void> {
  const socket = new WebSocket(url);
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  socket.addEventListener("open", () => socket.send('{"payload":""}'));
  socket.addEventListener("message", () => resolve());
  socket.addEventListener("error", () => reject(new Error(`the WebSocket to ${url} failed`)));
  await promise;
  socket.close();
}
