import { expect, it } from "vitest";
import { toObservations } from "../../../src/store/postgres/observation.ts";
import { applyObservations } from "../../../src/store/sql/apply-observations.ts";
import { describeWithPostgres } from "../../support/postgres/postgres.ts";
import { batch, PODS, put } from "../../support/store/messages.ts";
import { World } from "../../support/store/world.ts";

const ROWS = 2000;
/** Lookups per object: the join, the conflict, and the update. */
const LOOKUPS = 3;

describeWithPostgres("a batch", (database) => {
  it.each([1, 50])("of %i objects reads their rows only, before Postgres has statistics", async (count) => {
    await using world = new World(database.url, `rows-read-${count}`);
    await world.database.pool.query("ALTER TABLE kubernetes_object SET (autovacuum_enabled = false)");
    await world.connect();
    await world.declare();
    await world.apply(...Array.from({ length: ROWS }, (_, index) => put(`ns/pod-${index}`, { observed: 1 })));

    const position = world.next();
    const items = Array.from({ length: count }, (_, index) => put(`ns/pod-${index * 7}`, { observed: 2 }));
    const { observations, ...order } = toObservations(position, batch(items));
    const context = { ...position, ...PODS, ...order, now: new Date(), run: undefined };
    const outcome = await world.database.transaction(position, async (client) => {
      const { applied } = await applyObservations(client, context, observations);
      const { rows } = await client.query<{ read: number }>(
        `SELECT (seq_tup_read + idx_tup_fetch)::int AS read FROM pg_stat_xact_user_tables
         WHERE relname = 'kubernetes_object'`,
      );
      return { applied, read: rows[0]?.read };
    });
    expect(outcome.applied).toBe(count);
    expect(outcome.read).toBeGreaterThanOrEqual(count);
    expect(outcome.read).toBeLessThanOrEqual(count * LOOKUPS);
  });
});
