import pg from "pg";
import { waitFor } from "../../lib/abort.ts";
import { RetryableError } from "../../lib/errors.ts";
import { toConnectionOptions } from "./connection-options.ts";
import { PostgresClient } from "./postgres-client.ts";
import { Sockets } from "./sockets.ts";
import { CONNECT_TIMEOUT_MS, type DatabaseTimeouts, toBegin } from "./timeouts.ts";
import { inTransaction } from "./transaction.ts";

/** Idle time of a connection before TCP probes it; the default of Linux is two hours. */
const KEEP_ALIVE_MS = 10_000;

/** A pool whose statements outside transactions have all timeouts too, those of Prisma included. */
export class BoundedPool extends pg.Pool {
  readonly #begin: string;
  readonly #sockets: Sockets;
  readonly #aborted = new AbortController();
  #ended: Promise<void> | undefined;

  /** @throws ConfigError if the URL cannot be used */
  constructor(url: string, max: number, timeouts: DatabaseTimeouts) {
    const sockets = new Sockets();
    super({
      ...toConnectionOptions(url),
      // The types lack the options that the pool passes to it.
      Client: PostgresClient as unknown as new () => pg.ClientBase,
      stream: () => sockets.create(),
      max,
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      query_timeout: timeouts.queryMs,
      keepAlive: true,
      keepAliveInitialDelayMillis: KEEP_ALIVE_MS,
    });
    this.#sockets = sockets;
    this.#begin = toBegin(timeouts);
    // The pool replaces a broken connection, and its query rejects. Without listeners these events of idle and used
    // connections would end the process.
    this.on("error", () => {});
    this.on("connect", (client) => client.on("error", () => {}));
  }

  /** Destroys all connections, so that queries in flight reject, and refuses new ones. */
  abort(): void {
    this.#aborted.abort(new RetryableError("the connections to the database are closed"));
    void this.end();
    this.#sockets.destroy();
  }

  // biome-ignore lint/suspicious/noExplicitAny: the driver's method has two forms, and only this one is used
  override async connect(): Promise<any> {
    return await waitFor(this.#aborted.signal, super.connect());
  }

  /** Refuses new queries, and waits for those in flight. A server that does not answer to the end is left. */
  override async end(): Promise<void> {
    this.#ended ??= super.end();
    await this.#ended;
    this.#sockets.closeSoon();
  }

  /**
   * Runs a single statement in a transaction of its own: a pooler refuses timeouts of a session, and gives a session
   * to another client after each transaction.
   */
  // biome-ignore lint/suspicious/noExplicitAny: the driver's method has many forms
  override async query(...args: any[]): Promise<any> {
    return await inTransaction(this, this.#begin, (client) => client.query(...(args as [string])));
  }
}
