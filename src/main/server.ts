import type { ServerConfig } from "../config/server-config.ts";
import { createPinoLog } from "../lib/pino-log.ts";
import { createDatabase } from "../store/database.ts";
import { startServer } from "./start-server.ts";

/** Runs `evenkeel server` until `signal` aborts: backend and ingester in one process. */
export async function runServer(signal: AbortSignal, config: ServerConfig): Promise<void> {
  const log = createPinoLog({ level: config.logLevel });
  await using database = createDatabase({ url: config.databaseUrl });
  const server = await startServer(signal, { ...config, database, log });
  log.info("serving without authentication, on loopback only", { url: server.url });
  await server.ended;
  log.info("stopped");
}
