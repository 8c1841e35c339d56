import { openBus } from "../bus/open-bus.ts";
import type { IngesterConfig } from "../config/ingester-config.ts";
import { createDatabase } from "../store/database.ts";
import { assertMigrated } from "./assert-migrated.ts";
import { checkBus } from "./check-bus.ts";
import { checkDatabase } from "./check-database.ts";
import { configureRuntime } from "./runtime.ts";
import { superviseIngester } from "./supervise-ingester.ts";
import { watchConfiguredBroker } from "./watch-configured-broker.ts";

/** Runs `evenkeel ingester` until `signal` aborts. A broker or a database that is away is waited for. */
export async function runIngester(signal: AbortSignal, config: IngesterConfig): Promise<void> {
  await using runtime = await configureRuntime("evenkeel-ingester", config.telemetry);
  const { log } = runtime;
  await assertMigrated(config.databaseUrl, log);
  await using stack = new AsyncDisposableStack();
  const database = stack.use(createDatabase({ url: config.databaseUrl }));
  const bus = await openBus(config.bus, runtime);
  stack.defer(() => bus.close());
  const watch = await watchConfiguredBroker(config.bus, bus, runtime);
  const checks = [checkDatabase(database), checkBus(bus), ...(watch === undefined ? [] : [watch.limits])];
  await runtime.serveProbes(signal, checks);
  const watching = watch?.run(signal);
  stack.defer(() => watching);
  log.info("ingesting");
  await superviseIngester(signal, { bus, database, runtime });
  log.info("stopped");
}
