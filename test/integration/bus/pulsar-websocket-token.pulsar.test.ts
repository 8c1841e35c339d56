import { createHmac, randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, it } from "vitest";
import { WebSocket } from "ws";
import type { Bus } from "../../../src/bus/bus.ts";
import type { BusDependencies, BusSettings } from "../../../src/bus/bus-settings.ts";
import { createPulsarWebSocketBus } from "../../../src/bus/pulsar-websocket/create-pulsar-websocket-bus.ts";
import { busDependencies } from "../../support/bus-dependencies.ts";
import { createFastClock } from "../../support/fast-clock.ts";
import { describeWithOwnBroker } from "../../support/own-broker.ts";
import { createRecordingMetrics } from "../../support/recording-metrics.ts";

const key = randomBytes(32);
const adminToken = toToken("admin");

const settings = {
  authenticationEnabled: true,
  authorizationEnabled: true,
  authenticationProviders: "org.apache.pulsar.broker.authentication.AuthenticationProviderToken",
  tokenSecretKey: `data:;base64,${key.toString("base64")}`,
  superUserRoles: "admin",
  brokerClientAuthenticationPlugin: "org.apache.pulsar.client.impl.auth.AuthenticationToken",
  brokerClientAuthenticationParameters: `token:${adminToken}`,
  webSocketSessionIdleTimeoutMillis: 2_000,
};

describeWithOwnBroker("a broker that asks everybody who they are", { settings, adminToken }, (broker) => {
  const { signal } = new AbortController();
  const buses: Bus[] = [];
  afterEach(async () => {
    await Promise.all(buses.splice(0).map((bus) => bus.close()));
  });

  const open = (own: Partial<BusSettings>, dependencies: Partial<BusDependencies> = {}): Bus => {
    const { webSocketUrl: url, tenant } = broker();
    const bus = createPulsarWebSocketBus({ url, tenant, ...own }, { ...busDependencies, ...dependencies });
    buses.push(bus);
    return bus;
  };
  const message = { key: "k", payload: Uint8Array.of(1) };
  const options = { topic: "main/token", subscription: "s", maxUnacknowledged: 1, maxPrefetched: 1 };

  it("lets in who has a token that it can verify, and says why nobody else", async () => {
    const producer = await open({ token: adminToken }).createProducer(signal, "main/token");
    await producer.publish(signal, message);
    await expect(open({}).createProducer(signal, "main/token")).rejects.toThrow(
      "refused with 401 (Authentication required): check the bus's token",
    );
    const forged = `${adminToken.slice(0, -4)}AAAA`;
    await expect(open({ token: forged }).subscribe(signal, options)).rejects.toThrow("refused with 401");
  });

  it("reads a token that was renewed", async () => {
    const directory = mkdtempSync(join(tmpdir(), "evenkeel-token-"));
    try {
      const tokenFile = join(directory, "token");
      writeFileSync(tokenFile, "expired");
      const bus = open({ tokenFile });
      await expect(bus.createProducer(signal, "main/token")).rejects.toThrow("refused with 401");
      writeFileSync(tokenFile, adminToken);
      const producer = await bus.createProducer(signal, "main/token");
      await producer.publish(signal, message);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  it("lets a role do what it was granted, and says what it was not", async () => {
    const { adminUrl, tenant } = broker();
    const granted = await fetch(`${adminUrl}/admin/v2/namespaces/${tenant}/main/permissions/evenkeel`, {
      method: "POST",
      headers: { authorization: `Bearer ${adminToken}`, "content-type": "application/json" },
      body: JSON.stringify(["produce", "consume"]),
    });
    expect(granted.status).toBe(204);
    const bus = open({ token: toToken("evenkeel") });
    const topic = "main/granted";
    const consumer = await bus.subscribe(signal, { ...options, topic });
    await (await bus.createProducer(signal, topic)).publish(signal, message);
    const { value } = await consumer.deliveries(signal)[Symbol.asyncIterator]().next();
    expect(value?.key).toBe("k");
    await expect(bus.createProducer(signal, "replies/other")).rejects.toThrow(
      "producer of replies/other: refused with 403 (Not authorized): the token's role may not do this on the topic",
    );
  });

  it("keeps idle connections beyond its limit", async () => {
    const metrics = createRecordingMetrics();
    // Pings every half second rather than every 20 s.
    const bus = open({ token: adminToken }, { metrics, clock: createFastClock(40) });
    const consumer = await bus.subscribe(signal, { ...options, topic: "main/idle" });
    const producer = await bus.createProducer(signal, "main/idle");
    const { webSocketUrl, tenant } = broker();
    for (let times = 0; times < 2; times++) {
      const silent = new WebSocket(`${webSocketUrl}/ws/v2/producer/persistent/${tenant}/main/silent`, {
        headers: { authorization: `Bearer ${adminToken}` },
      });
      expect((await once(silent, "close"))[0]).toBe(1001);
    }
    await producer.publish(signal, message);
    const { value } = await consumer.deliveries(signal)[Symbol.asyncIterator]().next();
    expect(value?.key).toBe("k");
    expect(metrics.total("evenkeel_bus_reconnects_total")).toBe(0);
  });
});

/** A JSON Web Token for the role, which does not expire. */
function toToken(role: string): string {
  const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");
  const signed = `${encode({ alg: "HS256" })}.${encode({ sub: role })}`;
  return `${signed}.${createHmac("sha256", key).update(signed).digest("base64url")}`;
}
