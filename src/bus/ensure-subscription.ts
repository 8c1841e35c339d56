import type { Bus } from "./bus.ts";

/** Makes the subscription exist, so that it sees all that is published from now on, whoever reads it later. */
export async function ensureSubscription(
  signal: AbortSignal,
  bus: Bus,
  topic: string,
  subscription: string,
): Promise<void> {
  const consumer = await bus.subscribe(signal, {
    topic,
    subscription,
    maxUnacknowledged: 1,
    maxPrefetched: 1,
  });
  await consumer.close();
}
