import pg from "pg";
import { type DatabaseTimeouts, toBegin } from "./timeouts.ts";
import { inTransaction } from "./transaction.ts";

/** Idle time of a connection before TCP probes it; the default of Linux is two hours. */
const KEEP_ALIVE_MS = 10_000;

/** A pool whose statements outside transactions have all timeouts too, those of Prisma included. */
export class BoundedPool extends pg.Pool {
  readonly #begin: string;

  constructor(connectionString: string, max: number, timeouts: DatabaseTimeouts) {
    super({
      connectionString,
      max,
      connectionTimeoutMillis: 10_000,
      query_timeout: timeouts.queryMs,
      keepAlive: true,
      keepAliveInitialDelayMillis: KEEP_ALIVE_MS,
      application_name: "evenkeel",
    });
    this.#begin = toBegin(timeouts);
    // The pool replaces a broken connection, and its query rejects. Without listeners these events of idle and used
    // connections would end the process.
    this.on("error", () => {});
    this.on("connect", (client) => client.on("error", () => {}));
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
