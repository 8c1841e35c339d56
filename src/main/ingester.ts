import type { Bus } from "../bus/bus.ts";
import type { IngesterConfig } from "../config/programs/ingester.ts";
import { createIngester } from "../ingester/ingester.ts";
import { supervise } from "../lib/supervise.ts";
import type { Database } from "../store/postgres/database.ts";
import { createPgIngestStore } from "../store/postgres/pg-ingest-store.ts";
import { openProgramContext } from "./program-context.ts";
import type { Runtime } from "./runtime.ts";

/** Runs `evenkeel ingester` until `signal` aborts. A broker or a database that is away is waited for. */
export async function runIngester(signal: AbortSignal, config: IngesterConfig): Promise<void> {
  const restart = new RestartTrigger();
  await using opened = await openProgramContext(signal, "evenkeel-ingester", config, {
    onStall: (reason) => restart.request(reason),
  });
  const { log } = opened.runtime;
  log.info("ingesting");
  await superviseIngester(signal, { ...opened, restart });
  log.info("stopped");
}

/** What an ingester is run with. */
export interface SuperviseIngesterOptions {
  readonly bus: Bus;
  readonly database: Database;
  readonly runtime: Runtime;
  /** Asked, it finishes what it holds, leaves the bus, and joins anew. */
  readonly restart?: RestartTrigger;
}

/** Runs an ingester until `signal` aborts; whatever cuts it off, it starts again. */
export async function superviseIngester(
  signal: AbortSignal,
  { bus, database, runtime, restart = new RestartTrigger() }: SuperviseIngesterOptions,
): Promise<void> {
  const store = createPgIngestStore(database, runtime.clock);
  const ingester = createIngester({ ...runtime, bus, store });
  await supervise(signal, { ...runtime, name: "ingester" }, async (s) => {
    const requested = restart.signal;
    await ingester.run(AbortSignal.any([s, requested]));
    requested.throwIfAborted();
  });
}

/** Lets one part of a program have another begin anew. */
export class RestartTrigger {
  #requested = new AbortController();

  /** Aborts when it should end, and begin anew with the signal that is there then. */
  get signal(): AbortSignal {
    return this.#requested.signal;
  }

  request(reason: string): void {
    this.#requested.abort(new Error(reason));
    this.#requested = new AbortController();
  }
}
