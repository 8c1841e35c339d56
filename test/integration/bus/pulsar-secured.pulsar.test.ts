import { createHmac, randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { freePort } from "../../../deploy/local/components/free-port.ts";
import type { Bus } from "../../../src/bus/bus.ts";
import { openBus } from "../../../src/bus/open-bus.ts";
import type { BusOptions, BusSettings } from "../../../src/bus/settings.ts";
import { RetryableError, toMessage } from "../../../src/lib/errors.ts";
import { busDependencies } from "../../support/bus/bus-dependencies.ts";
import { describeWithOwnBroker } from "../../support/bus/own-broker.ts";
import { describeWithPulsarClient } from "../../support/bus/pulsar-client.ts";
import { createTcpProxy } from "../../support/chaos/tcp-proxy.ts";
import { eventually } from "../../support/e2e/eventually.ts";
import { createFastClock } from "../../support/fast-clock.ts";
import { createRecordingMetrics } from "../../support/recording-metrics.ts";

const key = randomBytes(32);
const adminToken = toToken("admin");
const certificatePath = fileURLToPath(new URL("../../support/tls/loopback.cert.pem", import.meta.url));
const tlsPorts = { binary: await freePort(), web: await freePort() };

const settings = {
  authenticationEnabled: true,
  authorizationEnabled: true,
  authenticationProviders: "org.apache.pulsar.broker.authentication.AuthenticationProviderToken",
  tokenSecretKey: `data:;base64,${key.toString("base64")}`,
  superUserRoles: "admin",
  brokerClientAuthenticationPlugin: "org.apache.pulsar.client.impl.auth.AuthenticationToken",
  brokerClientAuthenticationParameters: `token:${adminToken}`,
  brokerServicePortTls: tlsPorts.binary,
  webServicePortTls: tlsPorts.web,
  tlsCertificateFilePath: certificatePath,
  tlsKeyFilePath: fileURLToPath(new URL("../../support/tls/loopback.key.pem", import.meta.url)),
  webSocketSessionIdleTimeoutMillis: 2_000,
};

/** Time limit of a test: Pulsar's own client retries for 30 s. */
const timeout = 100_000;

/** Time between messages that arrive slowly, in milliseconds: less than the idle timeout of the broker. */
const SLOW_MS = 1_100;

describeWithOwnBroker("a broker that asks everybody who they are", { settings, adminToken }, (broker) => {
  const { signal } = new AbortController();
  const buses: Bus[] = [];
  afterEach(async () => {
    await Promise.all(buses.splice(0).map((bus) => bus.close()));
  });

  const open = async (
    own: Pick<BusSettings, "url"> & Partial<BusSettings>,
    dependencies: Partial<BusOptions> = {},
  ): Promise<Bus> => {
    const bus = await openBus({ tenant: broker().tenant, ...own }, { ...busDependencies, ...dependencies });
    buses.push(bus);
    return bus;
  };
  const message = { key: "k", payload: Uint8Array.of(1) };
  const options = { topic: "main/token", subscription: "s", maxUnacknowledged: 1, maxPrefetched: 1 };

  /** Tests that both adapters pass. The texts of the two refusals differ by adapter. */
  const itIsLetIn = (
    name: string,
    url: () => string,
    tlsUrl: string,
    refused: { readonly unknown: string; readonly forbidden: string },
  ): void => {
    it("the broker admits a valid token, and the error of any other one has the reason", {
      timeout,
    }, async () => {
      const bus = await open({ url: url(), token: adminToken });
      await (await bus.createProducer(signal, options.topic)).publish(signal, message);
      const stranger = await open({ url: url() });
      await expect(stranger.createProducer(signal, options.topic)).rejects.toThrow(refused.unknown);
      const forger = await open({ url: url(), token: `${adminToken.slice(0, -4)}AAAA` });
      await expect(forger.subscribe(signal, options)).rejects.toThrow(refused.unknown);
    });

    it("a renewed token is read", { timeout }, async () => {
      const directory = mkdtempSync(join(tmpdir(), "evenkeel-token-"));
      try {
        const tokenFile = join(directory, "token");
        writeFileSync(tokenFile, toToken("admin", 1));
        const bus = await open({ url: url(), tokenFile });
        await expect(bus.createProducer(signal, options.topic)).rejects.toThrow(refused.unknown);
        writeFileSync(tokenFile, adminToken);
        await (await bus.createProducer(signal, options.topic)).publish(signal, message);
      } finally {
        rmSync(directory, { recursive: true });
      }
    });

    it("a role can use its permissions, and the error of a missing one names it", async () => {
      await grant("evenkeel", "main");
      const bus = await open({ url: url(), token: toToken("evenkeel") });
      const topic = `main/granted-${name}`;
      const consumer = await bus.subscribe(signal, { ...options, topic });
      await (await bus.createProducer(signal, topic)).publish(signal, message);
      const { value } = await consumer.deliveries(signal)[Symbol.asyncIterator]().next();
      expect(value?.key).toBe("k");
      await expect(bus.createProducer(signal, "replies/other")).rejects.toThrow(
        `producer of replies/other: refused with ${refused.forbidden}; the token's role lacks the permission on the topic`,
      );
    });

    it("the authorities of a file are trusted over TLS", async () => {
      const bus = await open({ url: tlsUrl, token: adminToken, trustCertsFile: certificatePath });
      await (await bus.createProducer(signal, options.topic)).publish(signal, message);
    });
  };
  const grant = async (role: string, namespace: string): Promise<void> => {
    const { adminUrl, tenant } = broker();
    const url = `${adminUrl}/admin/v2/namespaces/${tenant}/${namespace}/permissions/${role}`;
    const headers = { authorization: `Bearer ${adminToken}`, "content-type": "application/json" };
    const body = JSON.stringify(["produce", "consume"]);
    expect((await fetch(url, { method: "POST", headers, body })).status).toBe(204);
  };

  describe("over the WebSocket API", () => {
    itIsLetIn("websocket", () => broker().webSocketUrl, `wss://127.0.0.1:${tlsPorts.web}`, {
      unknown: "refused with 401 (Authentication required); check the bus's token",
      forbidden: "403 (Not authorized)",
    });
  });

  describeWithPulsarClient("tokens and TLS over pulsar-native", () => {
    itIsLetIn("native", () => broker().serviceUrl, `pulsar+ssl://127.0.0.1:${tlsPorts.binary}`, {
      unknown: "check that the broker is running, that this is its URL, and that it accepts the token",
      forbidden: "AuthorizationError",
    });
  });

  it("a consumer that vanishes silently holds few of the messages that arrive slowly", {
    timeout,
  }, async () => {
    const { webSocketUrl: url, tenant } = broker();
    await using proxy = await createTcpProxy(Number(new URL(url).port));
    const subscription = {
      topic: "main/vanished",
      subscription: "s",
      maxUnacknowledged: 100,
      maxPrefetched: 16,
    };
    const received: { readonly key: string; readonly by: string }[] = [];
    /** Subscribes, and again each time that a busy machine answers a ping too late, until `stop` aborts. */
    const consume = async (stop: AbortSignal, by: string, busUrl: string): Promise<void> => {
      const bus = await open({ url: busUrl, tenant, token: adminToken }, { clock: createFastClock(20) });
      while (!stop.aborted) {
        const consumer = await bus.subscribe(signal, subscription);
        try {
          for await (const delivery of consumer.deliveries(stop)) {
            received.push({ key: delivery.key, by });
            await delivery.acknowledge();
          }
        } catch (error) {
          expect(stop.aborted || error instanceof RetryableError, toMessage(error)).toBe(true);
        }
        await consumer.close();
      }
    };
    const stops = { vanished: new AbortController(), other: new AbortController() };
    const consuming = [
      consume(stops.vanished.signal, "vanished", `ws://127.0.0.1:${proxy.port}`),
      consume(stops.other.signal, "other", url),
    ];
    for (const consumer of consuming) {
      // The error of a failed test counts, and not that of a consumer whose bus is closed then.
      consumer.catch(() => {});
    }
    const bus = await open({ url, tenant, token: adminToken });
    const producer = await bus.createProducer(signal, subscription.topic);
    const publish = (key: string) => producer.publish(signal, { key, payload: Uint8Array.of(1) });
    const findKeyOfVanished = async (): Promise<string> => {
      for (let number = 0; number < 30; number++) {
        const key = `k${number}`;
        await publish(key);
        await eventually(`message ${key}`, () => expect(received.at(-1)?.key).toBe(key));
        if (received.at(-1)?.by === "vanished") {
          return key;
        }
        await sleep(SLOW_MS);
      }
      throw new Error("expected keys at both consumers, found all at one");
    };
    const key = await findKeyOfVanished();
    await sleep(SLOW_MS);
    proxy.freeze();
    stops.vanished.abort();
    // Each message that the broker writes to the lost connection restarts its idle timeout of 2 s.
    let published = 0;
    while (!received.some((message) => message.key === key && message.by === "other")) {
      await publish(key);
      published += 1;
      await sleep(SLOW_MS);
    }
    expect(published).toBeLessThan(10);
    stops.other.abort();
    await Promise.all(consuming);
  });

  it("idle connections stay open beyond the broker's idle timeout", async () => {
    const metrics = createRecordingMetrics();
    // Pings every 0.5 s instead of every 20 s.
    const { webSocketUrl, tenant } = broker();
    const bus = await open({ url: webSocketUrl, token: adminToken }, { metrics, clock: createFastClock(40) });
    const consumer = await bus.subscribe(signal, { ...options, topic: "main/idle" });
    const producer = await bus.createProducer(signal, "main/idle");
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

/** Returns a JSON Web Token for the role. It does not expire without `exp`, in seconds of the epoch. */
function toToken(role: string, exp?: number): string {
  const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");
  const signed = `${encode({ alg: "HS256" })}.${encode({ sub: role, exp })}`;
  return `${signed}.${createHmac("sha256", key).update(signed).digest("base64url")}`;
}
