import { mkdirSync } from "node:fs";
import { createServer } from "node:net";
import { PGlite } from "@electric-sql/pglite";
import { PGLiteSocketServer } from "@electric-sql/pglite-socket";
import { ConfigError } from "../../lib/errors.ts";
import type { DatabaseTimeouts } from "../../store/postgres/timeouts.ts";
import { lockDataDir } from "./data-dir-lock.ts";
import { guardExtendedQueries } from "./extended-query-guard.ts";

/** A Postgres in this process. */
export interface EmbeddedPostgres extends AsyncDisposable {
  /** URL for Postgres clients, such as `psql`. */
  readonly url: string;
  /** Settings for `createDatabase` that differ from its defaults. */
  readonly timeouts: Partial<DatabaseTimeouts>;
}

/**
 * Timeouts without one for idle transactions. Ending an idle transaction would end the only backend, and in WebAssembly
 * that is an endless loop of this process. A transaction is idle while a laptop sleeps; then nothing waits for its
 * lock.
 */
const TIMEOUTS: Partial<DatabaseTimeouts> = { idleMs: 0 };

export interface EmbeddedPostgresOptions {
  /** Directory of the data; unset: in memory. */
  readonly dataDir?: string | undefined;
  /** Port on 127.0.0.1; unset or 0: any free port. */
  readonly port?: number | undefined;
}

/**
 * Opens PGlite (Postgres compiled to WebAssembly) behind a socket, so that the regular driver and `psql` can use it.
 * All connections share one backend. Their transactions run one after the other, which is correct. Advisory locks do
 * not exclude other connections, so it serves one process only.
 *
 * @throws ConfigError if it cannot lock the directory or listen on the port
 */
export async function openEmbeddedPostgres({
  dataDir,
  port = 0,
}: EmbeddedPostgresOptions = {}): Promise<EmbeddedPostgres> {
  using stack = new DisposableStack();
  if (dataDir !== undefined) {
    mkdirSync(dataDir, { recursive: true });
    stack.use(lockDataDir(dataDir));
  }
  const db = await PGlite.create(dataDir === undefined ? {} : { dataDir });
  const chosen = port === 0 ? await freePort() : port;
  const server = new PGLiteSocketServer({
    db: guardExtendedQueries(db),
    host: "127.0.0.1",
    port: chosen,
    maxConnections: 100,
  });
  try {
    await server.start();
  } catch (cause) {
    await db.close();
    throw new ConfigError(`embedded Postgres: cannot listen on 127.0.0.1:${chosen}`, { cause });
  }
  const lock = stack.move();
  return {
    url: `postgres://postgres@127.0.0.1:${chosen}/postgres?sslmode=disable`,
    timeouts: TIMEOUTS,
    async [Symbol.asyncDispose]() {
      await server.stop();
      await db.close();
      lock.dispose();
    },
  };
}

/** Returns a free port. The socket server does not report the port that it gets for 0. */
async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve, reject) => {
    probe.once("error", reject).listen(0, "127.0.0.1", resolve);
  });
  const address = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  if (address === null || typeof address === "string") {
    throw new ConfigError("embedded Postgres: no free port on 127.0.0.1");
  }
  return address.port;
}
