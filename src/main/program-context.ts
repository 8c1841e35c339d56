import type { Bus } from "../bus/bus.ts";
import { openBus } from "../bus/open-bus.ts";
import { openPulsarAdmin } from "../bus/pulsar/admin/open-pulsar-admin.ts";
import {
  type BrokerMonitor,
  type BrokerMonitorOptions,
  createBrokerMonitor,
} from "../bus/pulsar/broker-monitor.ts";
import type { BusSettings } from "../bus/settings.ts";
import type { TelemetryConfig } from "../config/fields/telemetry.ts";
import { DEAD_LETTER_SUBSCRIPTION, INGESTER_SUBSCRIPTION, TOPICS } from "../event/topics.ts";
import { ConfigError, TerminalError, toMessage } from "../lib/errors.ts";
import type { Log } from "../lib/log.ts";
import { createDatabase, type Database } from "../store/postgres/database.ts";
import { listPendingMigrations, readMigrations } from "../store/postgres/migrate.ts";
import type { ReadinessCheck } from "../telemetry/serve-probes.ts";
import { configureRuntime, type Runtime } from "./runtime.ts";

/** What the programs over a broker share. */
export interface ProgramContextConfig {
  readonly databaseUrl: string;
  readonly bus: BusSettings;
  readonly telemetry: TelemetryConfig;
}

/** What one of these programs has besides. */
export interface ProgramContextOptions {
  /** What readiness needs besides. */
  readonly checks?: readonly ReadinessCheck[];
  readonly onStall?: BrokerMonitorOptions["onStall"];
}

/** What such a program works with. Disposing it closes all of it. */
export interface ProgramContext extends AsyncDisposable {
  readonly runtime: Runtime;
  readonly database: Database;
  readonly bus: Bus;
}

/**
 * Opens database, bus and probes of a program such as "evenkeel-backend", and watches its broker. Connects to nothing
 * that has to be there: what is away is waited for by those who use it.
 */
export async function openProgramContext(
  signal: AbortSignal,
  service: string,
  config: ProgramContextConfig,
  { checks = [], onStall }: ProgramContextOptions = {},
): Promise<ProgramContext> {
  await using opening = new AsyncDisposableStack();
  const runtime = opening.use(await configureRuntime(service, config.telemetry));
  await assertMigrated(config.databaseUrl, runtime.log);
  const database = opening.use(createDatabase({ url: config.databaseUrl }));
  const bus = await openBus(config.bus, { ...runtime, probeTopic: TOPICS.events });
  opening.defer(() => bus.close());
  const watch = await watchConfiguredBroker(config.bus, bus, runtime, onStall);
  const limits = watch === undefined ? [] : [checkLimits(watch)];
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

/** Watches the broker where its admin API is configured. */
async function watchConfiguredBroker(
  config: BusSettings,
  bus: Bus,
  runtime: Runtime,
  onStall: BrokerMonitorOptions["onStall"],
): Promise<BrokerMonitor | undefined> {
  if (config.adminUrl === undefined) {
    return undefined;
  }
  const admin = await openPulsarAdmin(runtime, config, config.adminUrl);
  const { clock, log, metrics } = runtime;
  return createBrokerMonitor({
    ...{ admin, bus, clock, log, metrics, onStall },
    isWebSocket: config.url.startsWith("ws"),
    events: { topic: TOPICS.events, subscription: INGESTER_SUBSCRIPTION },
    deadLetters: { topic: TOPICS.deadLetter, subscription: DEAD_LETTER_SUBSCRIPTION },
  });
}

/** Passes while the broker accepts messages as large as this program sends. */
function checkLimits(monitor: BrokerMonitor): ReadinessCheck {
  return {
    name: "bus limits",
    async check() {
      monitor.assertLimits();
    },
  };
}

/** Whether the broker can be reached. */
function checkBus(bus: Bus): ReadinessCheck {
  return { name: "bus", check: (signal) => bus.check(signal) };
}

/** Whether Postgres answers. */
export function checkDatabase(database: Database): ReadinessCheck {
  return {
    name: "database",
    async check() {
      await database.pool.query("SELECT 1");
    },
  };
}

/**
 * Throws `ConfigError` when the database lacks migrations, and `TerminalError` when it is newer: neither passes by
 * itself. Every other failure may pass, also an unknown one: the program starts, and its parts wait for the database.
 */
export async function assertMigrated(databaseUrl: string, log: Log): Promise<void> {
  const migrations = readMigrations();
  try {
    const pending = await listPendingMigrations(databaseUrl, migrations);
    if (pending.length > 0) {
      throw new ConfigError(`the database lacks ${pending.join(", ")}: run "evenkeel migrate" first`);
    }
  } catch (error) {
    if (error instanceof TerminalError) {
      throw error;
    }
    log.warn("schema not checked: the database is not available yet; every part retries until it is", {
      error: toMessage(error),
    });
  }
}
