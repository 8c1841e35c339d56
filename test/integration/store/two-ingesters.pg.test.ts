import { create } from "@bufbuild/protobuf";
import pg from "pg";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { Batch } from "../../../gen/proto/evenkeel/v1/batch_pb.ts";
import { ResourcesReconciledSchema } from "../../../gen/proto/evenkeel/v1/reconciliation_pb.ts";
import type { IngestStore, RunAttempt, StreamPosition } from "../../../src/store/ingest-store.ts";
import { createDatabase, type Database } from "../../../src/store/postgres/database.ts";
import { createPgIngestStore } from "../../../src/store/postgres/pg-ingest-store.ts";
import { describeWithPostgres } from "../../support/postgres/postgres.ts";
import { findCountErrors } from "../../support/store/count-errors.ts";
import { batch, CONFIG_MAPS, PODS, put, remove } from "../../support/store/messages.ts";
import { World } from "../../support/store/world.ts";
import { withSeed } from "../../support/vitest/seeded.ts";

describeWithPostgres("two ingesters that both believe they own a cluster", (provided) => {
  let world: World;
  let other: { readonly database: Database; readonly store: IngestStore };
  let observer: pg.Client;

  beforeEach(async () => {
    world = new World(provided.url, `cluster-${crypto.randomUUID()}`);
    await world.connect();
    await world.sql("DELETE FROM reconciliation_run WHERE cluster = $1");
    await world.declare();
    const database = createDatabase({ url: provided.url, maxConnections: 2 });
    other = { database, store: createPgIngestStore(database) };
    observer = new pg.Client({ connectionString: provided.url });
    await observer.connect();
  });
  afterEach(async () => {
    await observer.end();
    await other.database[Symbol.asyncDispose]();
    await world[Symbol.asyncDispose]();
  });

  /** Resolves when this many connections to the database wait for any lock. */
  const waiting = async (count: number): Promise<void> => {
    for (;;) {
      const { rowCount } = await world.database.pool.query(
        "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'",
      );
      if ((rowCount ?? 0) >= count) {
        return;
      }
    }
  };

  it("refuse a stale Put while one of them purges its tombstone (R38, R39)", async () => {
    await world.apply(put("a/x", { observed: 10 }));
    await world.apply(remove("a/x", 20));
    const { request } = await world.beginRun();
    await world.verifyResource(request.runId, CONFIG_MAPS, 30, world.sequence + 1n);
    // Keeps the purging transaction open after its purge: its last statement ends the run.
    await observer.query("BEGIN");
    await observer.query("SELECT 1 FROM reconciliation_run WHERE id = $1 FOR UPDATE", [request.runId]);
    const purging = world.verifyResource(request.runId, PODS, 30, world.sequence + 1n);
    await waiting(1);
    const stale = other.store.applyBatch(world.signal, world.next(), batch([put("a/x", { observed: 15 })]));
    await waiting(2);
    await observer.query("COMMIT");
    await Promise.all([purging, stale]);
    expect(await world.rows()).toEqual([]);
  });

  it("count a row once that is written while a run corrects the number of rows (L32)", async () => {
    await world.apply(put("a/1", { observed: 1 }), put("a/2", { observed: 2 }));
    const { request } = await world.beginRun();
    const attempt = await world.store.beginAttempt(world.signal, world.at(0n), request);
    const sent = { resourceType: PODS, objects: 2, incarnation: 0n, highWatermark: "2" };
    await world.sql("DELETE FROM kubernetes_object WHERE cluster = $1 AND name = '1'");
    await observer.query("BEGIN");
    await observer.query("SELECT 1 FROM resource_state WHERE cluster = $1 FOR UPDATE", [world.cluster]);
    const written = other.store.applyBatch(world.signal, world.next(), batch([put("a/3", { observed: 3 })]));
    await waiting(1);
    const corrected = world.store.recordInventories(world.signal, attempt as RunAttempt, [sent], 100);
    await waiting(2);
    await observer.query("COMMIT");
    await Promise.all([written, corrected]);
    const errors = await findCountErrors(world.database.pool);
    expect(errors.filter(({ cluster }) => cluster === world.cluster)).toEqual([]);
  });

  it("reach the same rows as one, if both apply the same stream at once (R38)", async () => {
    await withSeed("reach the same rows as one", async (random) => {
      const truth = new Map<string, string>();
      const stream: { readonly position: StreamPosition; readonly what: Batch | undefined }[] = [];
      const { request } = await world.beginRun();
      for (let version = 10; version < 90; version += 1) {
        const key = `a/${Math.floor(random.float() * 6)}`;
        const isGone = random.float() < 0.4;
        if (isGone) {
          truth.delete(key);
        } else {
          truth.set(key, String(version));
        }
        const item = isGone ? remove(key, version) : put(key, { observed: version });
        stream.push({ position: world.next(), what: batch([item]) });
        if (version === 50) {
          stream.push({ position: world.next(), what: undefined });
        }
      }
      const apply = async (store: IngestStore): Promise<void> => {
        for (const { position, what } of stream) {
          if (what === undefined) {
            const reconciled = create(ResourcesReconciledSchema, {
              run: { runId: request.runId, attempt: 1 },
              ends: [{ resourceType: PODS, listVersion: "50", firstSequence: 1n }],
            });
            await store.applyResourcesReconciled(world.signal, position, reconciled);
          } else {
            await store.applyBatch(world.signal, position, what);
          }
        }
      };
      await Promise.all([apply(world.store), apply(other.store)]);
      const present = (await world.rows()).filter(({ state }) => state === "present");
      expect(new Map(present.map(({ key, version }) => [key, version]))).toEqual(truth);
      const [session] = await world.sql("SELECT * FROM agent_session WHERE cluster = $1");
      expect(session).toMatchObject({ applied_sequence: String(world.sequence), gap_sequence: "0" });
    });
  });
});
