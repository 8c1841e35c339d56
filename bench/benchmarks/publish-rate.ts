import { encodeEventInParts } from "../../src/event/codec.ts";
import { TOPICS } from "../../src/event/topics.ts";
import { createBatch, openTenant } from "../support/tenant-bus.ts";
import type { World } from "../support/world.ts";

const CONTENT_BYTES = 3_500;
const DURATION_MS = 5_000;
const IN_FLIGHT = 64;
const identity = { account: "bench", cluster: "c1", clusterUid: "uid", epoch: 1n };

/** Measures the objects per second that one producer publishes, by the number of objects per message. */
export async function publishRate(world: World): Promise<void> {
  const { signal } = new AbortController();
  const bus = await openTenant(await world.createTenant());
  const producer = await bus.createProducer(signal, TOPICS.events);
  const limits = { maxMessageBytes: bus.maxMessageBytes, compress: true };
  let single = 0;
  for (const count of [1, 10, 100, 500]) {
    const value = createBatch(0, count, CONTENT_BYTES, 1);
    let messages = 0;
    let bytes = 0;
    const until = performance.now() + DURATION_MS;
    const publishing = Array.from({ length: IN_FLIGHT }, async () => {
      while (performance.now() < until) {
        // Encoded and compressed each time, as in a backend.
        const content = { sequence: 1n, publishTime: new Date(), body: { case: "batch", value } as const };
        for (const message of encodeEventInParts(identity, content, limits)) {
          await producer.publish(signal, message);
          messages += 1;
          bytes += message.payload.byteLength;
        }
      }
    });
    await Promise.all(publishing);
    const rate = (messages * count * 1000) / DURATION_MS;
    single ||= rate;
    const perMessage = Math.round(bytes / messages).toLocaleString("en");
    console.log(
      `  ${String(count).padStart(3)} objects a message (${perMessage} B): ${Math.round((messages * 1000) / DURATION_MS).toLocaleString("en")} messages/s, ` +
        `${Math.round(rate).toLocaleString("en")} objects/s, ${(rate / single).toFixed(1)} times single ones`,
    );
  }
  await bus.close();
}
