import type { Bus, Producer } from "../bus/bus.ts";

/** Producers by topic, opened on first use. */
export interface ProducerPool {
  /** Returns the producer of the topic. */
  get(signal: AbortSignal, topic: string): Promise<Producer>;
  close(): Promise<void>;
}

/** Most producers that stay open: one for each backend, and one for dead letters. */
const MAX_PRODUCERS = 64;

/**
 * Creates a pool that keeps the most recently used producers open. A failed producer stays in the pool: the
 * bus recovers it.
 */
export function createProducerPool(bus: Bus): ProducerPool {
  const producers = new Map<string, Promise<Producer>>();
  return {
    async get(signal, topic) {
      const opening = producers.get(topic) ?? bus.createProducer(signal, topic);
      producers.delete(topic);
      producers.set(topic, opening);
      try {
        const producer = await opening;
        await closeOldest(producers);
        return producer;
      } catch (error) {
        // Another caller may have opened a producer since.
        if (producers.get(topic) === opening) {
          producers.delete(topic);
        }
        throw error;
      }
    },
    async close() {
      await Promise.allSettled([...producers.values()].map(async (opening) => (await opening).close()));
      producers.clear();
    },
  };
}

async function closeOldest(producers: Map<string, Promise<Producer>>): Promise<void> {
  for (const [topic, opening] of producers) {
    if (producers.size <= MAX_PRODUCERS) {
      return;
    }
    producers.delete(topic);
    await (await opening).close();
  }
}
