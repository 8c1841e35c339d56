import { once } from "node:events";
import { createMemoryBus, type MemoryBus } from "../bus/memory/memory-bus.ts";
import { TOPICS } from "../event/topics.ts";
import { toMessage } from "../lib/errors.ts";
import type { Runtime } from "./runtime.ts";
import { type BackendDependencies, type RunningBackend, startBackend } from "./start-backend.ts";
import { superviseIngester } from "./supervise-ingester.ts";

/** How long the ingester has to apply what the bus still holds, in milliseconds. */
const FINISH_TIMEOUT_MS = 10_000;

/** Starts backend and ingester in this process, over the memory bus. */
export async function startServer(
  signal: AbortSignal,
  options: Omit<BackendDependencies, "bus">,
): Promise<RunningBackend> {
  const bus = createMemoryBus();
  // The ingester ends last: it applies what the backend has told agents to be safe.
  const ingesting = new AbortController();
  const backend = await startBackend(signal, { ...options, bus });
  const ingester = superviseIngester(ingesting.signal, { ...options, bus });
  const stop = async (): Promise<void> => {
    if (!signal.aborted) {
      await once(signal, "abort");
    }
    await backend.ended;
    await finish(bus, options.runtime);
    ingesting.abort(new Error("the server stops"));
    await ingester;
    await bus.close();
  };
  return { url: backend.url, ended: stop() };
}

/** Lets the ingester apply what the bus holds: that would end with the process. */
async function finish(bus: MemoryBus, { clock, log }: Runtime): Promise<void> {
  using deadline = clock.deadline(new AbortController().signal, FINISH_TIMEOUT_MS);
  try {
    await bus.emptied(deadline.signal, TOPICS.events);
  } catch (error) {
    log.warn("stopping before everything was applied; a run at the next connect finds what is missing", {
      error: toMessage(error),
    });
  }
}
