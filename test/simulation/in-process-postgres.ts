import { Duplex } from "node:stream";
import { PGlite } from "@electric-sql/pglite";
import pg from "pg";
import { readMigrations } from "../../src/store/postgres/migrate.ts";
import { CREATE_HISTORY, HISTORY_TABLE, RECORD_RESTORE } from "./history.ts";
import { replaceClock } from "./virtual-time.ts";

/** Dead rows make every statement slower; a VACUUM discards the plans. */
const SIMULATIONS_PER_VACUUM = 20;

/**
 * A Postgres in this process, with the schema of the product and the triggers that record its history. The regular
 * driver talks to it through memory, without a socket, so the order of all work stays repeatable.
 *
 * It has one session. A connection has it until the end of its transaction, so transactions never overlap.
 */
export class InProcessPostgres implements AsyncDisposable {
  /** Everything goes through it: the database's own methods expect that no others read its answers. */
  readonly pool: pg.Pool;
  readonly #db: PGlite;
  readonly #tables: readonly Table[];
  #simulations = 0;

  private constructor(db: PGlite, tables: readonly Table[]) {
    this.#db = db;
    this.#tables = tables;
    // The pool's timers would run in real time.
    const timers = { idleTimeoutMillis: 0, connectionTimeoutMillis: 0 };
    const stream = (): never => new ProtocolStream(db) as never;
    const session = { user: "postgres", database: "postgres", max: 1, stream };
    this.pool = new pg.Pool({ ...timers, ...session, Client: PreparingClient } as pg.PoolConfig);
  }

  static async create(): Promise<InProcessPostgres> {
    using _ = replaceClock(() => 0);
    const db = await PGlite.create();
    for (const sql of [...readMigrations().map((migration) => migration.sql), CREATE_HISTORY]) {
      // No simulation outlives its process, so nothing needs the write-ahead log.
      await db.exec(sql.replaceAll(/^CREATE TABLE/gm, "CREATE UNLOGGED TABLE"));
    }
    // Planning costs more than the work on a few rows.
    // The order of an index, and not of a table's pages, which earlier simulations have filled.
    await db.exec("SET enable_seqscan = off; SET enable_bitmapscan = off");
    await db.exec("SET plan_cache_mode = force_generic_plan");
    // Pending statistics start timers of real time.
    await db.exec("SET track_counts = off");
    const { rows: tables } = await db.query<Table>(LIST_TABLES);
    await db.exec("CREATE SCHEMA earlier");
    for (const { name } of tables) {
      await db.exec(`CREATE UNLOGGED TABLE earlier.${name} (LIKE ${name})`);
    }
    return new InProcessPostgres(db, tables);
  }

  /** Removes everything that a simulation wrote. */
  async clear(): Promise<void> {
    using _ = replaceClock(() => 0);
    // TRUNCATE would be faster, but then Postgres plans every statement again.
    // The history last: the deletion of rows adds to it.
    const tables = [...this.#tables.map(({ name }) => name), HISTORY_TABLE];
    await this.pool.query(tables.map((name) => `DELETE FROM ${name}`).join("; "));
    this.#simulations += 1;
    if (this.#simulations % SIMULATIONS_PER_VACUUM === 0) {
      await this.pool.query("VACUUM");
    }
  }

  /** Copies all tables of the product. */
  async copy(): Promise<void> {
    await this.pool.query(
      this.#tables
        .flatMap(({ name, columns }) => [
          `DELETE FROM earlier.${name}`,
          `INSERT INTO earlier.${name} (${columns}) SELECT ${columns} FROM ${name}`,
        ])
        .join("; "),
    );
  }

  /** Restores the last copy. The history stays, and gets an event. */
  async restoreCopy(): Promise<void> {
    await this.pool.query(
      [
        "BEGIN",
        "SET LOCAL session_replication_role = replica",
        "SET LOCAL evenkeel.writer = 'ingester'",
        ...this.#tables.flatMap(({ name, columns }) => [
          `DELETE FROM ${name}`,
          `INSERT INTO ${name} (${columns}) SELECT ${columns} FROM earlier.${name}`,
        ]),
        RECORD_RESTORE,
        "COMMIT",
      ].join("; "),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.pool.end();
    await this.#db.close();
  }
}

/** A table of the product. */
interface Table {
  readonly name: string;
  /** Names of the columns that are not generated. */
  readonly columns: string;
}

const LIST_TABLES = `
SELECT quote_ident(table_name) AS name, string_agg(quote_ident(column_name), ', ' ORDER BY ordinal_position) AS columns
FROM information_schema.columns
WHERE table_schema = 'public' AND table_name <> '${HISTORY_TABLE}' AND is_generated = 'NEVER'
GROUP BY table_name ORDER BY table_name`;

/** A client that prepares each statement once. */
class PreparingClient extends pg.Client {
  readonly #names = new Map<string, string>();

  // biome-ignore lint/suspicious/noExplicitAny: the driver's method has many forms
  override query(...args: any[]): any {
    const [text, second, ...rest] = args;
    if (typeof text !== "string" || !PREPARABLE.test(text)) {
      return super.query(...([toSingleSession(text), ...args.slice(1)] as [string]));
    }
    const name = this.#nameOf(text);
    return Array.isArray(second)
      ? super.query({ name, text, values: second }, ...(rest as []))
      : super.query({ name, text }, ...(args.slice(1) as []));
  }

  #nameOf(text: string): string {
    const name = this.#names.get(text) ?? `statement-${this.#names.size}`;
    this.#names.set(text, name);
    return name;
  }
}

/** A single statement, and not one of a transaction or several in one text. */
const PREPARABLE = /^\s*(SELECT|WITH|INSERT|UPDATE|DELETE)[^;]*$/;

/** Statements that only matter if there are several sessions: timeouts, and locks of clusters. */
const OF_SEVERAL_SESSIONS =
  /; (?:SET LOCAL (?:lock_timeout|idle_in_transaction_session_timeout|statement_timeout) = '\d+ms'|SELECT pg_advisory_xact_lock\(-?\d+\))/g;

function toSingleSession(text: unknown): unknown {
  return typeof text === "string" ? text.replaceAll(OF_SEVERAL_SESSIONS, "") : text;
}

/** The driver's connection. */
class ProtocolStream extends Duplex {
  readonly #db: PGlite;

  constructor(db: PGlite) {
    super();
    this.#db = db;
  }

  connect(): this {
    process.nextTick(() => this.emit("connect"));
    return this;
  }

  setNoDelay(): void {}
  setKeepAlive(): void {}
  ref(): void {}
  unref(): void {}

  override _read(): void {}

  override _write(message: Uint8Array, _encoding: string, done: (error?: Error) => void): void {
    this.#send(message, done);
  }

  override _writev(chunks: { chunk: Uint8Array }[], done: (error?: Error) => void): void {
    this.#send(Buffer.concat(chunks.map(({ chunk }) => chunk)), done);
  }

  #send(message: Uint8Array, done: (error?: Error) => void): void {
    // The method without a stream also parses the answer, which the driver does too.
    const onRawData = (part: Uint8Array): void => void this.push(Buffer.from(part));
    this.#db.execProtocolRawStream(message, { syncToFs: false, onRawData }).then(() => done(), done);
  }
}
