import { setTimeout as delay } from "node:timers/promises";
import pg from "pg";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { RetryableError } from "../../../src/lib/errors.ts";
import { createDatabase } from "../../../src/store/postgres/database.ts";
import { createPgClusterAdmin } from "../../../src/store/postgres/pg-cluster-admin.ts";
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
      3_000,
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

  const seenAt = async (world: World): Promise<unknown> =>
    (await world.sql("SELECT seen_at FROM agent_session WHERE cluster = $1 AND closed_at IS NULL"))[0]?.[
      "seen_at"
    ];

  it("whose session is locked does not end the sessions and standbys of others (I9)", async () => {
    await b.connect();
    const keep = () => b.sessions.keepSessions(b.signal, [key(a), key(b)]);
    await keep();
    const standbys = [a, b].map(({ account, cluster }) => ({
      account,
      cluster,
      instanceId: "standby",
      agentVersion: "test",
    }));
    await b.sessions.keepStandbys(b.signal, standbys);
    const before = [await seenAt(a), await seenAt(b)];
    await locker.query("BEGIN");
    await locker.query("SELECT 1 FROM kubernetes_object WHERE cluster = $1 FOR UPDATE", [a.cluster]);
    await locker.query("SELECT 1 FROM agent_standby WHERE cluster = $1 FOR UPDATE", [a.cluster]);
    // A rename holds the session's row while it changes all the others.
    const admin = createDatabase({ url: provided.url, timeouts: { lockMs: 30_000 } });
    const renaming = createPgClusterAdmin(admin).rename(a.signal, a.account, a.cluster, `${a.cluster}-new`);
    await vi.waitUntil(() => isLocked(a));
    expect(await within(3_000, keep())).toEqual([]);
    expect(await within(3_000, b.sessions.keepStandbys(b.signal, standbys))).toEqual([]);
    const [ofA, ofB] = [await seenAt(a), await seenAt(b)];
    expect(ofA).toEqual(before[0]);
    expect(ofB).not.toEqual(before[1]);
    await locker.query("ROLLBACK");
    await renaming;
    await admin[Symbol.asyncDispose]();
    expect(await keep()).toEqual([{ type: "replaced", session: key(a) }]);
  });

  /** True if a transaction has locked the open session of the cluster. */
  const isLocked = async ({ cluster }: World): Promise<boolean> => {
    const { rowCount } = await b.database.pool.query(
      "SELECT 1 FROM agent_session WHERE cluster = $1 FOR UPDATE SKIP LOCKED",
      [cluster],
    );
    return rowCount === 0;
  };

  it("whose session is locked for a moment is confirmed in its turn (I9)", async () => {
    const before = await seenAt(a);
    await locker.query("BEGIN");
    await locker.query("SELECT 1 FROM agent_session WHERE cluster = $1 FOR UPDATE", [a.cluster]);
    const kept = a.sessions.keepSessions(a.signal, [key(a)]);
    await delay(200);
    await locker.query("ROLLBACK");
    expect(await kept).toEqual([]);
    expect(await seenAt(a)).not.toEqual(before);
  });
});

const key = ({ account, cluster, epoch }: World) => ({ account, cluster, epoch });
