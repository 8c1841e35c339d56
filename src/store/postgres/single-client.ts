import type pg from "pg";
import { toConnectionOptions } from "./connection-options.ts";
import { PostgresClient } from "./postgres-client.ts";
import { Sockets } from "./sockets.ts";
import { CONNECT_TIMEOUT_MS } from "./timeouts.ts";

export interface SingleClientOptions {
  readonly url: string;
  /** For the answer to each query, in milliseconds; unset: no limit. */
  readonly queryMs?: number;
}

/**
 * Runs `work` with a connection outside a pool. When `signal` aborts, destroys the connection and rejects with the
 * signal's reason: a server that has vanished without a notice would answer neither a query nor the end.
 *
 * @throws ConfigError if the URL cannot be used
 */
export async function withSingleClient<T>(
  signal: AbortSignal,
  { url, queryMs }: SingleClientOptions,
  work: (client: pg.Client) => Promise<T>,
): Promise<T> {
  signal.throwIfAborted();
  const sockets = new Sockets();
  const client = new PostgresClient({
    ...toConnectionOptions(url),
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    keepAlive: true,
    stream: () => sockets.create(),
    ...(queryMs !== undefined && { query_timeout: queryMs }),
  });
  // The current query rejects. Without a listener the event would end the process.
  client.on("error", () => {});
  const onAbort = (): void => sockets.destroy();
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    await client.connect();
    return await work(client);
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  } finally {
    // Not awaited: the server may never answer.
    void client.end().catch(() => {});
    sockets.closeSoon();
    signal.removeEventListener("abort", onAbort);
  }
}
