import { setTimeout as delay } from "node:timers/promises";
import pg from "pg";
import { afterEach, beforeEach, expect, it } from "vitest";
import { RetryableError } from "../../../src/lib/errors.ts";
import { createDatabase } from "../../../src/store/postgres/database.ts";
import { describeWithPostgres } from "../../support/postgres/postgres.ts";
import { put } from "../../support/store/messages.ts";
import { World } from "../../support/store/world.ts";

/** Rejects if the promise takes longer. */
async function within<T>(ms: number, promise: Promise<T>): Promise<T> {
  const ended = new AbortController();
  const late = delay(ms, undefined, { signal: ended.signal }).then(() => {
    throw new Error(`took longer than ${ms} ms`);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    late.catch(() => {});
    ended.abort();
  }
}

describeWithPostgres("a cluster that waits", (provided) => {
  let a: World;
  let b: World;
  let locker: pg.Client;

  beforeEach(async () => {
    const database = createDatabase({ url: provided.url, maxConnections: 10 });
    a = new World(provided.url, `a-${crypto.randomUUID()}`, { database });
    b = new World(provided.url, `b-${crypto.randomUUID()}`, { database });
    await a.connect();
    await a.declare();
    await a.apply(put("n/x", { observed: 1 }));
    locker = new pg.Client({ connectionString: provided.url });
    await locker.connect();
  });
  afterEach(async () => {
    await locker.end();
    await a[Symbol.asyncDispose]();
  });

  it("that waits for a row lock does not block sessions and events of others (I9)", async () => {
    await locker.query("BEGIN");
    await locker.query("SELECT 1 FROM kubernetes_object WHERE cluster = $1 FOR UPDATE", [a.cluster]);
    const failed = expect(a.apply(put("n/x", { observed: 2 }))).rejects.toThrow(RetryableError);
    const opening = Promise.allSettled(Array.from({ length: 10 }, (_, agent) => a.connect(`agent-${agent}`)));
    await within(
      30_000,
      (async () => {
        await b.connect();
        await b.declare();
        await b.apply(put("n/x", { observed: 1 }));
      })(),
    );
    expect(await b.rows()).toHaveLength(1);
    await failed;
    await locker.query("ROLLBACK");
    await opening;
    await a.connect();
    await a.declare();
    await a.apply(put("n/x", { observed: 3 }));
    expect((await a.rows())[0]?.observed).toBe("3");
  });
});
