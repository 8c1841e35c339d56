import type { Bus } from "../bus/bus.ts";
import { openBus } from "../bus/open-bus.ts";
import type { BrokerWatchOptions } from "../bus/pulsar/broker-monitor.ts";
import type { BusConfig } from "../config/fields/bus.ts";
import type { TelemetryConfig } from "../config/fields/telemetry.ts";
import { createDatabase, type Database } from "../store/postgres/database.ts";
import type { ReadinessCheck } from "../telemetry/serve-probes.ts";
import { assertMigrated } from "./assert-migrated.ts";
import { checkBus } from "./check-bus.ts";
import { checkDatabase } from "./check-database.ts";
import { configureRuntime, type Runtime } from "./runtime.ts";
import { watchConfiguredBroker } from "./watch-configured-broker.ts";

/** What the programs over a broker share. */
export interface BrokeredConfig {
  readonly databaseUrl: string;
  readonly bus: BusConfig;
  readonly telemetry: TelemetryConfig;
}

/** What one of these programs has besides. */
export interface BrokeredParts {
  /** What readiness needs besides. */
  readonly checks?: readonly ReadinessCheck[];
  readonly onHeldBack?: BrokerWatchOptions["onHeldBack"];
}

/** What such a program works with. Disposing it closes all of it. */
export interface Brokered extends AsyncDisposable {
  readonly runtime: Runtime;
  readonly database: Database;
  readonly bus: Bus;
}

/**
 * Opens database, bus and probes of a program such as "evenkeel-backend", and watches its broker. Connects to nothing
 * that has to be there: what is away is waited for by those who use it.
 */
export async function openBrokered(
  signal: AbortSignal,
  service: string,
  config: BrokeredConfig,
  { checks = [], onHeldBack }: BrokeredParts = {},
): Promise<Brokered> {
  await using opening = new AsyncDisposableStack();
  const runtime = opening.use(await configureRuntime(service, config.telemetry));
  await assertMigrated(config.databaseUrl, runtime.log);
  const database = opening.use(createDatabase({ url: config.databaseUrl }));
  const bus = await openBus(config.bus, runtime);
  opening.defer(() => bus.close());
  const watch = await watchConfiguredBroker(config.bus, bus, runtime, onHeldBack);
  const limits = watch === undefined ? [] : [watch.limits];
  await runtime.serveProbes(signal, [checkDatabase(database), checkBus(bus), ...limits, ...checks]);
  if (watch !== undefined) {
    // It ends with the program, also when that fails before it is told to stop.
    const ended = new AbortController();
    const watching = watch.run(AbortSignal.any([signal, ended.signal]));
    opening.defer(async () => {
      ended.abort();
      await watching;
    });
  }
  const opened = opening.move();
  return { runtime, database, bus, [Symbol.asyncDispose]: () => opened.disposeAsync() };
}
