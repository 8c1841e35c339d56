import type { Bus } from "../bus/bus.ts";
import { openBus } from "../bus/open-bus.ts";
import { openPulsarAdmin } from "../bus/pulsar/admin/create-pulsar-admin.ts";
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
import { createClockMonitor } from "./clock-monitor.ts";
import { configureRuntime, type Runtime } from "./runtime.ts";
import { createStopDeadline } from "./stop-deadline.ts";

/** Configuration that all programs with a broker share. */
export interface ProgramContextConfig {
  readonly databaseUrl: string;
  readonly bus: BusSettings;
  readonly telemetry: TelemetryConfig;
}

export interface ProgramContextOptions {
  /** Additional readiness checks. */
  readonly checks?: readonly ReadinessCheck[];
  readonly onStall?: BrokerMonitorOptions["onStall"];
}

/** The runtime, database and bus of a program. Disposing it closes them. */
export interface ProgramContext extends AsyncDisposable {
  readonly runtime: Runtime;
  readonly database: Database;
  readonly bus: Bus;
}

/**
 * Opens database, bus and probes of a program such as "evenkeel-backend", and monitors its broker. Succeeds
 * also if broker or database are unavailable: the parts that use them retry.
 */
export async function openProgramContext(
  signal: AbortSignal,
  service: string,
  config: ProgramContextConfig,
  { checks = [], onStall }: ProgramContextOptions = {},
): Promise<ProgramContext> {
  await using opening = new AsyncDisposableStack();
  const runtime = opening.use(await configureRuntime(service, config.telemetry));
  await assertMigrated(signal, config.databaseUrl, runtime.log);
  const deadline = opening.use(createStopDeadline(signal, runtime.clock));
  const database = opening.use(createDatabase({ url: config.databaseUrl, abort: deadline.signal }));
  const bus = await openBus(config.bus, { ...runtime, probeTopic: TOPICS.events });
  opening.defer(() => bus.close());
  const watch = await watchConfiguredBroker(config.bus, bus, runtime, onStall);
  const limits = watch === undefined ? [] : [checkLimits(watch)];
  const clockMonitor = createClockMonitor({ ...runtime, database });
  await runtime.serveProbes(signal, [
    checkDatabase(database),
    checkBus(bus),
    clockMonitor.check,
    ...limits,
    ...checks,
  ]);
  for (const monitor of [clockMonitor, ...(watch === undefined ? [] : [watch])]) {
    opening.defer(runUntilDisposed(signal, monitor));
  }
  const opened = opening.move();
  return { runtime, database, bus, [Symbol.asyncDispose]: () => opened.disposeAsync() };
}

/** Runs the monitor until `signal` aborts or the returned function is called, which waits for its end. */
export function runUntilDisposed(
  signal: AbortSignal,
  monitor: { run(signal: AbortSignal): Promise<void> },
): () => Promise<void> {
  // The monitor must also end if the program fails before the signal aborts.
  const ended = new AbortController();
  const running = monitor.run(AbortSignal.any([signal, ended.signal]));
  return async () => {
    ended.abort();
    await running;
  };
}

/** Creates the monitor of the broker; undefined if no admin API is configured. */
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

/** Creates a check that passes while the broker accepts the largest messages of this program. */
function checkLimits(monitor: BrokerMonitor): ReadinessCheck {
  return {
    name: "bus limits",
    async check() {
      monitor.assertLimits();
    },
  };
}

/** Creates a check that passes while the broker can be reached. */
function checkBus(bus: Bus): ReadinessCheck {
  return { name: "bus", check: (signal) => bus.check(signal) };
}

/** Creates a check that passes while Postgres answers. */
export function checkDatabase(database: Database): ReadinessCheck {
  return {
    name: "database",
    async check() {
      await database.pool.query("SELECT 1");
    },
  };
}

/**
 * Asserts that the schema of the database is current. Any failure except these two, also an unknown one, may
 * be temporary: then the program starts, and its parts wait for the database.
 *
 * @throws ConfigError if the database lacks migrations.
 * @throws TerminalError if the database is newer than this program.
 */
export async function assertMigrated(signal: AbortSignal, databaseUrl: string, log: Log): Promise<void> {
  const migrations = readMigrations();
  try {
    const pending = await listPendingMigrations(databaseUrl, migrations, signal);
    if (pending.length > 0) {
      throw new ConfigError(`the database lacks ${pending.join(", ")}; run "evenkeel migrate" first`);
    }
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof TerminalError) {
      throw error;
    }
    log.warn("schema not checked; starting anyway and retrying until the database is available", {
      error: toMessage(error),
    });
  }
}
