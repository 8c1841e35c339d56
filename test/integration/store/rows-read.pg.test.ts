import { create } from "@bufbuild/protobuf";
import type { ClientBase } from "pg";
import { expect, it } from "vitest";
import { ResourcesReconciledSchema } from "../../../gen/proto/evenkeel/v1/reconciliation_pb.ts";
import { DEFAULT_DELETION_GUARD } from "../../../src/domain/reconciliation/deletion-guard.ts";
import { toObservations } from "../../../src/store/postgres/observation.ts";
import { applyObservations } from "../../../src/store/sql/apply-observations.ts";
import { recordProgress } from "../../../src/store/sql/record-progress.ts";
import { verifyResources } from "../../../src/store/sql/verify-resources.ts";
import { describeWithPostgres } from "../../support/postgres/postgres.ts";
import { batch, PODS, put, resourceType } from "../../support/store/messages.ts";
import { World } from "../../support/store/world.ts";

const ROWS = 2000;
const TYPES = 50;
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
      return { applied, read: await countRead(client) };
    });
    expect(outcome.applied).toBe(count);
    expect(outcome.read).toBeGreaterThanOrEqual(count);
    expect(outcome.read).toBeLessThanOrEqual(count * LOOKUPS);
  });
});

describeWithPostgres("the ends of comparisons (L34)", (database) => {
  it("read one object of each resource type, before Postgres has statistics", async () => {
    await using world = new World(database.url, "many-ends");
    await world.database.pool.query("ALTER TABLE kubernetes_object SET (autovacuum_enabled = false)");
    await world.connect();
    const types = Array.from({ length: TYPES }, (_, index) => resourceType("", "v1", `r${index}`));
    await world.declare(types);
    await world.sql("DELETE FROM reconciliation_run WHERE cluster = $1");
    const items = Array.from({ length: ROWS / TYPES }, (_, index) => put(`ns/o-${index}`, { observed: 1 }));
    for (const each of types) {
      await world.store.applyBatch(world.signal, world.next(), batch(items, each));
    }
    const { request } = await world.beginRun();
    const ends = types.map((each) => world.endOf(each, 2, world.sequence + 1n));
    const run = { runId: request.runId, attempt: 1 };
    const reconciled = create(ResourcesReconciledSchema, { run, ends });
    const position = world.next();
    const read = await world.database.transaction(position, async (client) => {
      // The connection may have read others before, whose number is not reported yet.
      const before = (await countRead(client)) ?? 0;
      const progress = await recordProgress(client, position);
      if (progress !== undefined) {
        await verifyResources(client, position, progress, reconciled, DEFAULT_DELETION_GUARD);
      }
      return ((await countRead(client)) ?? 0) - before;
    });
    expect(read).toBe(TYPES);
    const states = await world.sql(
      `SELECT count(*)::int AS verified FROM resource_state
       WHERE cluster = $1 AND verified_at IS NOT NULL AND low_watermark = 2`,
    );
    expect(states).toEqual([{ verified: TYPES }]);
  });
});

/** Returns the objects that the transaction has read. */
async function countRead(client: ClientBase): Promise<number | undefined> {
  const { rows } = await client.query<{ read: number }>(
    `SELECT (seq_tup_read + idx_tup_fetch)::int AS read FROM pg_stat_xact_user_tables
     WHERE relname = 'kubernetes_object'`,
  );
  return rows[0]?.read;
}
