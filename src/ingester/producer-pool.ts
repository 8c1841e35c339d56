import type { Bus, Producer } from "../bus/bus.ts";

/** Producers by topic, opened when they are first needed. */
export interface ProducerPool {
  /** The producer of the topic. */
  get(signal: AbortSignal, topic: string): Promise<Producer>;
  close(): Promise<void>;
}

/** Most producers that are kept open: one for each backend, and one for dead letters. */
const MAX_PRODUCERS = 64;

/** Keeps the producers that were used last. A producer that fails is the bus's to mend, not forgotten here. */
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
        // Another caller may have opened one since.
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
