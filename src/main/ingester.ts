import type { Bus } from "../bus/bus.ts";
import type { IngesterConfig } from "../config/programs/ingester.ts";
import type { DeletionGuard } from "../domain/reconciliation/deletion-guard.ts";
import { createIngester } from "../ingester/ingester.ts";
import type { WindowLimits } from "../ingester/keyed-window.ts";
import { supervise } from "../lib/supervise.ts";
import type { Database } from "../store/postgres/database.ts";
import { createPgIngestStore } from "../store/postgres/pg-ingest-store.ts";
import { openProgramContext } from "./program-context.ts";
import type { Runtime } from "./runtime.ts";

/** Runs `evenkeel ingester` until `signal` aborts. Waits for a broker or a database that is unavailable. */
export async function runIngester(signal: AbortSignal, config: IngesterConfig): Promise<void> {
  const restart = new RestartTrigger();
  await using opened = await openProgramContext(signal, "evenkeel-ingester", config, {
    onStall: (reason) => restart.request(reason),
  });
  const { log } = opened.runtime;
  log.info("ingester started");
  await superviseIngester(signal, { ...opened, scrubRows: config.scrubRows, guard: config.guard, restart });
  log.info("ingester stopped");
}

export interface SuperviseIngesterOptions {
  readonly bus: Bus;
  readonly database: Database;
  readonly runtime: Runtime;
  /** See {@link IngesterOptions}. */
  readonly scrubRows?: number;
  readonly windowLimits?: WindowLimits;
  /** Default {@link DEFAULT_DELETION_GUARD}. */
  readonly guard?: DeletionGuard;
  /** On a request, the ingester applies the messages in flight, leaves the bus, and joins it again. */
  readonly restart?: RestartTrigger;
}

/** Runs an ingester until `signal` aborts, and restarts it after each failure. */
export async function superviseIngester(
  signal: AbortSignal,
  options: SuperviseIngesterOptions,
): Promise<void> {
  const { bus, database, runtime, scrubRows, windowLimits, guard, restart = new RestartTrigger() } = options;
  const withheldTotal = runtime.metrics.counter(
    "evenkeel_ingester_withheld_total",
    "Verdicts and scopes whose deletions were withheld; see evenkeel deletions list",
  );
  const store = createPgIngestStore(database, {
    ...(guard !== undefined && { guard }),
    onWithheld({ account, cluster }, { deletions, failure }) {
      withheldTotal.add(1);
      runtime.log.warn("deletions withheld", { account, cluster, deletions, reason: failure.message });
    },
  });
  const ingester = createIngester({
    ...{ ...runtime, bus, store },
    ...(scrubRows !== undefined && { scrubRows }),
    ...(windowLimits !== undefined && { windowLimits }),
  });
  await supervise(signal, { ...runtime, name: "ingester" }, async (s) => {
    const requested = restart.signal;
    await ingester.run(AbortSignal.any([s, requested]));
    requested.throwIfAborted();
  });
}

/** Restarts one part of a program on request of another part. */
export class RestartTrigger {
  #requested = new AbortController();

  /** Aborts on the next request. The restarted part must read it again. */
  get signal(): AbortSignal {
    return this.#requested.signal;
  }

  request(reason: string): void {
    this.#requested.abort(new Error(reason));
    this.#requested = new AbortController();
  }
}
