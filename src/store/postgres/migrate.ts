import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { findPackageJSON } from "node:module";
import { dirname, join } from "node:path";
import type pg from "pg";
import { NEVER } from "../../lib/abort.ts";
import { ConfigError, TerminalError, toMessage } from "../../lib/errors.ts";
import { beginLocked, describeHolder } from "./migration-lock.ts";
import { withSingleClient } from "./single-client.ts";
import { isLockTimeout, toStoreError } from "./sql-error.ts";

/** One folder of `prisma/migrations`. */
export interface Migration {
  /** Name of the folder, which also orders migrations. */
  readonly name: string;
  readonly sql: string;
  /** SHA-256 of the file in hexadecimal, as Prisma records it. */
  readonly checksum: string;
}

export interface MigrateOptions {
  /** Ends the wait for a lock, and a migration in progress, which is then rolled back. */
  readonly signal?: AbortSignal;
  /** Called with a sentence about the connection that has the lock, once for each. */
  readonly onWait?: (reason: string) => void;
}

/**
 * Migrates a database to this version's schema and returns the names of the migrations that this call has applied.
 *
 * It uses Prisma's folder layout and `_prisma_migrations` table, so `prisma migrate deploy` works on the same database.
 * Unlike Prisma it needs no schema engine and no network. Each migration is one transaction with its own record. An
 * advisory lock of that transaction serializes concurrent runs.
 */
export async function migrate(
  databaseUrl: string,
  migrations = readMigrations(),
  { signal = NEVER, onWait = () => {} }: MigrateOptions = {},
): Promise<string[]> {
  return await withSingleClient(signal, { url: databaseUrl }, async (client) => {
    await assertUtf8(client);
    const names: string[] = [];
    let reported = "";
    for (;;) {
      const step = await applyNext(client, migrations);
      if (step.type === "done") {
        return names;
      }
      if (step.type === "applied") {
        names.push(step.name);
      } else {
        const reason = await describeHolder(client);
        if (reason !== reported) {
          reported = reason;
          onWait(reason);
        }
      }
    }
  });
}

/** Longest wait for an answer to a query that reads what is applied, in milliseconds. */
const READ_TIMEOUT_MS = 10_000;

/**
 * Returns the names of the migrations that the database lacks.
 *
 * @throws ConfigError if the URL is invalid, or the database's encoding is not UTF-8
 * @throws TerminalError if the database is newer than this version
 * @throws RetryableError while the database is unreachable
 */
export async function listPendingMigrations(
  databaseUrl: string,
  migrations = readMigrations(),
  signal = NEVER,
): Promise<string[]> {
  try {
    return await withSingleClient(signal, { url: databaseUrl, queryMs: READ_TIMEOUT_MS }, async (client) => {
      await assertUtf8(client);
      const { rows } = await client.query<{ exists: boolean }>(
        `SELECT to_regclass('"_prisma_migrations"') IS NOT NULL AS exists`,
      );
      const applied = rows[0]?.exists === true ? await readApplied(client, migrations) : new Set<string>();
      return migrations.map(({ name }) => name).filter((name) => !applied.has(name));
    });
  } catch (cause) {
    signal.throwIfAborted();
    throw toStoreError(cause);
  }
}

/** Asserts that the database can store every text of Kubernetes. */
async function assertUtf8(client: pg.Client): Promise<void> {
  const { rows } = await client.query<{ encoding: string }>(
    "SELECT current_setting('server_encoding') AS encoding",
  );
  const encoding = rows[0]?.encoding;
  if (encoding !== "UTF8") {
    throw new ConfigError(
      `database: expected the encoding UTF8, found ${encoding}; create one with ENCODING 'UTF8' TEMPLATE template0`,
    );
  }
}

/** Reads the migrations of this version, in order. */
export function readMigrations(folder = findMigrations()): Migration[] {
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name)
    .sort()
    .map((name) => {
      const sql = readFileSync(join(folder, name, "migration.sql"), "utf8");
      return { name, sql, checksum: createHash("sha256").update(sql).digest("hex") };
    });
}

const CREATE_TABLE = `
CREATE TABLE IF NOT EXISTS "_prisma_migrations" (
  "id" VARCHAR(36) PRIMARY KEY NOT NULL,
  "checksum" VARCHAR(64) NOT NULL,
  "finished_at" TIMESTAMPTZ,
  "migration_name" VARCHAR(255) NOT NULL,
  "logs" TEXT,
  "rolled_back_at" TIMESTAMPTZ,
  "started_at" TIMESTAMPTZ NOT NULL DEFAULT now(),
  "applied_steps_count" INTEGER NOT NULL DEFAULT 0
)`;

async function readApplied(client: pg.Client, migrations: readonly Migration[]): Promise<Set<string>> {
  const { rows } = await client.query<{ migration_name: string; checksum: string; finished: boolean }>(
    `SELECT migration_name, checksum, finished_at IS NOT NULL AS finished
     FROM "_prisma_migrations" WHERE rolled_back_at IS NULL`,
  );
  const known = new Map(migrations.map((migration) => [migration.name, migration]));
  for (const row of rows) {
    if (!row.finished) {
      throw new TerminalError(
        `migration ${row.migration_name}: Prisma began it and did not finish; ` +
          'repair the database and run "prisma migrate resolve"',
      );
    }
    const migration = known.get(row.migration_name);
    if (migration === undefined) {
      throw new TerminalError(
        `migration ${row.migration_name}: applied to the database but unknown to this version; ` +
          "run a version at least as new as the database",
      );
    }
    if (migration.checksum !== row.checksum) {
      throw new TerminalError(
        `migration ${row.migration_name}: changed after it was applied; ` +
          `expected checksum ${row.checksum}, found ${migration.checksum}`,
      );
    }
  }
  return new Set(rows.map((row) => row.migration_name));
}

/** Result of one transaction of {@link migrate}. */
type Step =
  | { readonly type: "applied"; readonly name: string }
  | { readonly type: "waiting" }
  | { readonly type: "done" };

/** Applies the first migration that the database lacks, in one transaction that also reads under the lock. */
async function applyNext(client: pg.Client, migrations: readonly Migration[]): Promise<Step> {
  try {
    await beginLocked(client);
    await client.query(CREATE_TABLE);
    const applied = await readApplied(client, migrations);
    const next = migrations.find(({ name }) => !applied.has(name));
    if (next !== undefined) {
      await apply(client, next);
    }
    await client.query("COMMIT");
    return next === undefined ? { type: "done" } : { type: "applied", name: next.name };
  } catch (error) {
    // If the connection is gone, Postgres has rolled back already.
    await client.query("ROLLBACK").catch(() => {});
    if (isLockTimeout(error)) {
      return { type: "waiting" };
    }
    throw error;
  }
}

async function apply(client: pg.Client, migration: Migration): Promise<void> {
  try {
    await client.query(migration.sql);
    await client.query(
      `INSERT INTO "_prisma_migrations" (id, checksum, finished_at, migration_name, applied_steps_count)
       VALUES (gen_random_uuid(), $1, now(), $2, 1)`,
      [migration.checksum, migration.name],
    );
  } catch (cause) {
    if (isLockTimeout(cause)) {
      throw cause;
    }
    throw new TerminalError(`migration ${migration.name}: failed and was rolled back: ${toMessage(cause)}`, {
      cause,
    });
  }
}

/** Finds the folder of migrations at the package's root, both from the sources and from the build. */
function findMigrations(): string {
  const manifest = findPackageJSON(import.meta.url);
  if (manifest === undefined) {
    throw new TerminalError(
      `installation: no package.json above ${import.meta.url}; install the package again`,
    );
  }
  return join(dirname(manifest), "prisma", "migrations");
}
