import { ConfigError, TerminalError, toMessage } from "../lib/errors.ts";
import type { Log } from "../lib/log.ts";
import { listPendingMigrations, readMigrations } from "../store/migrate.ts";

/**
 * Throws `ConfigError` when the database lacks migrations, and `TerminalError` when it is newer: neither
 * passes by itself. Every other failure may pass, also an unknown one: the program starts, and its parts wait
 * for the database.
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
