import type { PGlite } from "@electric-sql/pglite";

/** First bytes of the messages that end what a client has begun: Sync, simple Query, Terminate. */
const ENDINGS: ReadonlySet<number> = new Set(["S", "Q", "X"].map((type) => type.charCodeAt(0)));

/** First bytes of the messages that begin or go on with an extended query: Parse, Bind, Describe, Execute, Close, Flush. */
const PARTS: ReadonlySet<number> = new Set(["P", "B", "D", "E", "C", "H"].map((type) => type.charCodeAt(0)));

/**
 * Makes clients of one embedded database take turns by whole extended queries.
 *
 * All of them share one backend, and with it one unnamed statement. The socket server lets them take turns message by
 * message, except inside a transaction: so one client's Bind can meet another's Parse, and rows of the other's query
 * come back. An extended query, from its first message to Sync, is therefore told to be a transaction.
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
    // The server rolls back for a client that went away in the middle.
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
