import { openBus } from "../bus/open-bus.ts";
import type { BackendConfig } from "../config/backend-config.ts";
import { RetryableError } from "../lib/errors.ts";
import { createDatabase } from "../store/database.ts";
import type { ReadinessCheck } from "../telemetry/serve-probes.ts";
import { assertMigrated } from "./assert-migrated.ts";
import { checkBus } from "./check-bus.ts";
import { checkDatabase } from "./check-database.ts";
import { configureRuntime } from "./runtime.ts";
import { startBackend } from "./start-backend.ts";
import { watchConfiguredBroker } from "./watch-configured-broker.ts";

/** Runs `evenkeel backend` until `signal` aborts. A broker or a database that is away is waited for. */
export async function runBackend(signal: AbortSignal, config: BackendConfig): Promise<void> {
  await using runtime = await configureRuntime("evenkeel-backend", config.telemetry);
  const { log } = runtime;
  await assertMigrated(config.databaseUrl, log);
  await using stack = new AsyncDisposableStack();
  const database = stack.use(createDatabase({ url: config.databaseUrl }));
  const bus = await openBus(config.bus, runtime);
  stack.defer(() => bus.close());
  const watch = await watchConfiguredBroker(config.bus, bus, runtime);
  let isServing = false;
  const serving: ReadinessCheck = {
    name: "port",
    async check() {
      if (!isServing) {
        throw new RetryableError("not open yet: the bus cannot be joined; the log says why");
      }
    },
  };
  const checks = [
    checkDatabase(database),
    checkBus(bus),
    ...(watch === undefined ? [] : [watch.limits]),
    serving,
  ];
  await runtime.serveProbes(signal, checks);
  const watching = watch?.run(signal);
  stack.defer(() => watching);
  const backend = await startBackend(signal, { ...config, bus, database, runtime }).catch(
    (error: unknown) => {
      if (!signal.aborted) {
        throw error;
      }
    },
  );
  if (backend === undefined) {
    log.info("stopped before the bus could be joined");
    return;
  }
  isServing = true;
  log.info(config.auth.kind === "none" ? "serving without authentication, on loopback only" : "serving", {
    url: backend.url,
  });
  await backend.ended;
  log.info("stopped");
}
