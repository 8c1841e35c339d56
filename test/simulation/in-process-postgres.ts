import { Duplex } from "node:stream";
import { PGlite } from "@electric-sql/pglite";
import pg from "pg";
import { readMigrations } from "../../src/store/postgres/migrate.ts";
import { CREATE_HISTORY } from "./history.ts";

/** Dead rows make every statement slower; a VACUUM discards the plans. */
const SIMULATIONS_PER_VACUUM = 20;

/**
 * A Postgres in this process, with the schema of the product and the triggers that record its history. The regular
 * driver talks to it through memory, without a socket, so the order of all work stays repeatable.
 *
 * It has one session. A connection has it until the end of its transaction, so transactions never overlap.
 */
export class InProcessPostgres implements AsyncDisposable {
  readonly pool: pg.Pool;
  readonly #db: PGlite;
  readonly #tables: readonly string[];
  #simulations = 0;

  private constructor(db: PGlite, tables: readonly string[]) {
    this.#db = db;
    this.#tables = tables;
    // The pool's timers would run in real time.
    const timers = { idleTimeoutMillis: 0, connectionTimeoutMillis: 0 };
    const stream = (): never => new ProtocolStream(db) as never;
    const session = { user: "postgres", database: "postgres", max: 1, stream };
    this.pool = new pg.Pool({ ...timers, ...session, Client: PreparingClient } as pg.PoolConfig);
  }

  static async create(): Promise<InProcessPostgres> {
    const db = await PGlite.create();
    for (const { sql } of readMigrations()) {
      await db.exec(sql);
    }
    await db.exec(CREATE_HISTORY);
    // Planning costs more than the work on a few rows.
    await db.exec("SET plan_cache_mode = force_generic_plan");
    const { rows } = await db.query<{ name: string }>(
      "SELECT quote_ident(tablename) AS name FROM pg_tables WHERE schemaname = 'public'",
    );
    return new InProcessPostgres(
      db,
      rows.map(({ name }) => name),
    );
  }

  /** Removes everything that a simulation wrote. */
  async clear(): Promise<void> {
    // TRUNCATE would be faster, but then Postgres plans every statement again.
    await this.#db.exec(this.#tables.map((table) => `DELETE FROM ${table}`).join("; "));
    this.#simulations += 1;
    if (this.#simulations % SIMULATIONS_PER_VACUUM === 0) {
      await this.#db.exec("VACUUM");
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.pool.end();
    await this.#db.close();
  }
}

/** A client that prepares each statement once. */
class PreparingClient extends pg.Client {
  readonly #names = new Map<string, string>();

  // biome-ignore lint/suspicious/noExplicitAny: the driver's method has many forms
  override query(...args: any[]): any {
    const [text, second, ...rest] = args;
    if (typeof text !== "string" || !PREPARABLE.test(text)) {
      return super.query(...(args as [string]));
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
    this.#db.execProtocolRaw(message, { syncToFs: false }).then((answer) => {
      this.push(Buffer.from(answer));
      done();
    }, done);
  }
}
