import type { ServerConfig } from "../config/server-config.ts";
import { ConfigError, RetryableError, toMessage } from "../lib/errors.ts";
import type { Log } from "../lib/log.ts";
import { createPinoLog } from "../lib/pino-log.ts";
import { createDatabase } from "../store/database.ts";
import { listPendingMigrations } from "../store/migrate.ts";
import { startServer } from "./start-server.ts";

/** Runs `evenkeel server` until `signal` aborts: backend and ingester in one process. */
export async function runServer(signal: AbortSignal, config: ServerConfig): Promise<void> {
  const log = createPinoLog({ level: config.logLevel });
  await assertMigrated(config.databaseUrl, log);
  await using database = createDatabase({ url: config.databaseUrl });
  const server = await startServer(signal, { ...config, database, log });
  log.info(config.auth.kind === "none" ? "serving without authentication, on loopback only" : "serving", {
    url: server.url,
  });
  await server.ended;
  log.info("stopped");
}

/** A database that is down now may be up later; one of another schema will not mend itself. */
async function assertMigrated(databaseUrl: string, log: Log): Promise<void> {
  try {
    const pending = await listPendingMigrations(databaseUrl);
    if (pending.length > 0) {
      throw new ConfigError(`the database lacks ${pending.join(", ")}: run "evenkeel migrate" first`);
    }
  } catch (error) {
    if (!(error instanceof RetryableError)) {
      throw error;
    }
    log.warn("starting without the database, which may come", { error: toMessage(error) });
  }
}
