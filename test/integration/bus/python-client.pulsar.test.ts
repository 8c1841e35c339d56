import { Buffer } from "node:buffer";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Bus, Delivery } from "../../../src/bus/bus.ts";
import { openBus } from "../../../src/bus/open-bus.ts";
import { decodeEvent, encodeEventInParts } from "../../../src/event/codec.ts";
import { describeWithBroker } from "../../support/bus/broker.ts";
import { busDependencies } from "../../support/bus/bus-dependencies.ts";
import { createPythonClient, findPython, type PythonClient } from "../../support/bus/python-client.ts";
import { batch, put } from "../../support/store/messages.ts";

const identity = { account: "acme", cluster: "c1", clusterUid: "uid-1", epoch: 2n ** 53n + 1n };
const { signal } = new AbortController();
const found = findPython();

describeWithBroker("another team's client, in Python", (broker) => {
  const describeWithPython = "missing" in found ? describe.skip : describe;
  describeWithPython("missing" in found ? `(skipped: ${found.missing})` : "with generated classes", () => {
    let directory: string;
    let python: PythonClient;
    let bus: Bus;

    beforeAll(async () => {
      directory = mkdtempSync(join(tmpdir(), "evenkeel-python-"));
      python = await createPythonClient("python3", directory);
      const { webSocketUrl, tenant } = broker();
      bus = await openBus({ url: webSocketUrl, tenant }, busDependencies);
    }, 300_000);
    afterAll(async () => {
      await bus?.close();
      rmSync(directory, { recursive: true, force: true });
    });

    it.each([
      ["uncompressed", '{"small":1}', "batch"],
      ["compressed", JSON.stringify({ text: "abc ".repeat(2_000) }), "compressed_batch"],
    ])("the Python client reads the messages of this bus: %s", async (_, content, body) => {
      const topic = `main/python-reads-${body}-${process.pid}`;
      const { serviceUrl, tenant } = broker();
      const consumer = await bus.subscribe(signal, {
        topic,
        subscription: "python",
        maxUnacknowledged: 1,
        maxPrefetched: 1,
      });
      await consumer.close();
      const value = batch([put("a/x", { observed: 10, content })]);
      const [message] = encodeEventInParts(
        identity,
        { sequence: 12n, publishTime: new Date(), body: { case: "batch", value } },
        { maxMessageBytes: bus.maxMessageBytes, compress: true },
      );
      if (message === undefined) {
        throw new Error("there is no message");
      }
      const producer = await bus.createProducer(signal, topic);
      await producer.publish(signal, { ...message, properties: { ...message.properties, name: "ü" } });
      const read = JSON.parse(
        await python.run("read", serviceUrl, `persistent://${tenant}/${topic}`, "python"),
      );
      expect(read).toEqual({
        key: '["acme","c1"]',
        properties: { ...message.properties, name: "ü" },
        payload: Buffer.from(message.payload).toString("base64"),
        account: "acme",
        // Python's integers are unlimited; those of JSON.parse are not.
        epoch: Number(identity.epoch),
        sequence: 12,
        body,
        contents: [content],
      });
    });

    it("this bus reads the messages of the Python client", async () => {
      const topic = `main/python-publishes-${process.pid}`;
      const { serviceUrl, tenant } = broker();
      const consumer = await bus.subscribe(signal, {
        topic,
        subscription: "ours",
        maxUnacknowledged: 1,
        maxPrefetched: 1,
      });
      await python.run("publish", serviceUrl, `persistent://${tenant}/${topic}`);
      let delivery: Delivery | undefined;
      for await (delivery of consumer.deliveries(signal)) {
        break;
      }
      expect(delivery?.key).toBe('["acme","c1"]');
      expect(delivery?.properties).toEqual({ account: "acme", language: "Python", name: "ü" });
      const event = decodeEvent(delivery ?? { key: "", payload: new Uint8Array() });
      expect(event).toMatchObject({ account: "acme", cluster: "c1", epoch: 7n, sequence: 12n });
      const [item] = event.body.case === "batch" ? event.body.value.items : [];
      expect(item?.message.case).toBe("putObject");
      const content = item?.message.case === "putObject" ? item.message.value.content : new Uint8Array();
      expect(Buffer.from(content).toString()).toBe('{"big":9007199254740993}');
    });

    it("the partition of a key follows from Pulsar's Murmur3 hash", async () => {
      const topic = `main/murmur-${process.pid}`;
      const partitions = 8;
      const { adminUrl, tenant } = broker();
      const made = await fetch(`${adminUrl}/admin/v2/persistent/${tenant}/${topic}/partitions`, {
        method: "PUT",
        headers: { "content-type": "application/json" },
        body: String(partitions),
      });
      expect(made.status).toBe(204);
      const consumer = await bus.subscribe(signal, {
        topic,
        subscription: "s",
        maxUnacknowledged: 100,
        maxPrefetched: 100,
      });
      const producer = await bus.createProducer(signal, topic);
      const keys = Array.from({ length: 40 }, (_, index) => JSON.stringify(["acme", `clüster-${index}`]));
      await Promise.all(keys.map((key) => producer.publish(signal, { key, payload: new Uint8Array(1) })));
      const found = new Map<string, number>();
      for await (const { key, messageId } of consumer.deliveries(signal)) {
        found.set(key, Number(messageId.split(":")[2]));
        if (found.size === keys.length) {
          break;
        }
      }
      expect(found).toEqual(
        new Map(keys.map((key) => [key, (murmur3(Buffer.from(key)) & 0x7fffffff) % partitions])),
      );
    });
  });
});

/**
 * Returns the hash of Pulsar's clients: MurmurHash3, x86, 32 bits, seed 0 (Austin Appleby, public domain).
 */
function murmur3(bytes: Buffer): number {
  const rotate = (value: number, by: number): number => (value << by) | (value >>> (32 - by));
  const mix = (k: number): number => Math.imul(rotate(Math.imul(k, 0xcc9e2d51), 15), 0x1b873593);
  const whole = bytes.length & ~3;
  let hash = 0;
  for (let at = 0; at < whole; at += 4) {
    hash = (Math.imul(rotate(hash ^ mix(bytes.readInt32LE(at)), 13), 5) + 0xe6546b64) | 0;
  }
  let rest = 0;
  for (let at = bytes.length - 1; at >= whole; at -= 1) {
    rest = (rest << 8) | (bytes[at] ?? 0);
  }
  hash ^= mix(rest) ^ bytes.length;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}
