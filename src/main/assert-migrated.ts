import { ConfigError, RetryableError, toMessage } from "../lib/errors.ts";
import type { Log } from "../lib/log.ts";
import { listPendingMigrations } from "../store/migrate.ts";

/**
 * Throws `ConfigError` when the database lacks migrations: one of another schema will not mend itself. One that is
 * down now may be up later.
 */
export async function assertMigrated(databaseUrl: string, log: Log): Promise<void> {
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
