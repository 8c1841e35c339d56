import type { PGlite } from "@electric-sql/pglite";

/** First bytes of the messages that end an extended query: Sync, simple Query, Terminate. */
const ENDINGS: ReadonlySet<number> = new Set(["S", "Q", "X"].map((type) => type.charCodeAt(0)));

/** First bytes of the messages of an extended query: Parse, Bind, Describe, Execute, Close, Flush. */
const PARTS: ReadonlySet<number> = new Set(["P", "B", "D", "E", "C", "H"].map((type) => type.charCodeAt(0)));

/**
 * Serializes the clients of one embedded database by complete extended queries.
 *
 * All clients share one backend with one unnamed statement. Outside a transaction, the socket server interleaves their
 * messages. One client's Bind could then use another's Parse, and return rows of the other's query. Therefore the guard
 * reports an extended query, from its first message to Sync, as a transaction.
 */
export function guardExtendedQueries(db: PGlite): PGlite {
  let isBetween = false;
  const overrides: Partial<PGlite> = {
    isInTransaction: () => isBetween || db.isInTransaction(),
    async execProtocolRawStream(message, options) {
      const type = message[0] ?? 0;
      isBetween = PARTS.has(type) || (isBetween && !ENDINGS.has(type));
      await db.execProtocolRawStream(message, options);
    },
    // The server rolls back for a client that disconnected during a query.
    async exec(query, options) {
      isBetween = false;
      return await db.exec(query, options);
    },
  };
  return new Proxy(db, {
    get(target, property) {
      const value = Reflect.get(property in overrides ? overrides : target, property, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}
