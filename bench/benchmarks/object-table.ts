import { create } from "@bufbuild/protobuf";
import { type Batch, BatchSchema, BatchType } from "../../gen/proto/evenkeel/v1/batch_pb.ts";
import { compareLayouts } from "../support/layout-comparison.ts";
import { MIGRATED, partitioned, withParameters, withWideIndex } from "../support/object-layouts.ts";
import { createBatch, PODS } from "../support/tenant-bus.ts";
import type { World } from "../support/world.ts";

const CONTENT_BYTES = 3_400;
/** Size of contents that are stored in the TOAST table even when compressed. */
const LARGE_CONTENT_BYTES = 12_000;
const BATCH = 250;
const CLUSTERS = 24;
const OBJECTS = 2_000;
const LARGE_OBJECTS = 100_000;
const CHURNED_CLUSTERS = 4;
const CHURN = 5;

const PARTITIONS = [MIGRATED, partitioned(8), partitioned(16)];

const FILLS = [
  withWideIndex(),
  withWideIndex({ fillfactor: 80 }),
  MIGRATED,
  withParameters({ fillfactor: 90 }),
  withParameters({ fillfactor: 80 }),
  withParameters({ fillfactor: 70 }),
];

const VACUUMS = [
  withWideIndex(),
  withWideIndex({ autovacuum_vacuum_scale_factor: 0.02 }),
  MIGRATED,
  withParameters({ fillfactor: 90 }),
  withParameters({ fillfactor: 80 }),
];

/** Measures costs and gains of partitions of the object table. */
export async function objectPartitions(world: World): Promise<void> {
  await using comparison = await compareLayouts(world, PARTITIONS);
  const clusters = namesOf(CLUSTERS);
  await comparison.each((writer) => writer.open([...clusters, "large"]));
  await comparison.write("fresh inserts", clusters, inserts(OBJECTS));
  await comparison.write("updates", clusters, updates(OBJECTS, 1));
  await comparison.each(async (writer) => {
    await writer.copyObjects("c0", "large", LARGE_OBJECTS / OBJECTS);
    await writer.query("VACUUM ANALYZE kubernetes_object");
  });
  await comparison.measure("inventory of 100,000 objects", 9, async (writer) => {
    const rows = await writer.readInventory("large");
    if (rows !== LARGE_OBJECTS) {
      throw new Error(`inventory: ${rows} rows; expected ${LARGE_OBJECTS}`);
    }
  });
  await comparison.measure("one object", 300, (writer, turn) =>
    writer.apply("c0", createBatch((turn * 331) % OBJECTS, 1, CONTENT_BYTES, 3 + turn)),
  );
  await comparison.measure("scope drop of 2,000 objects", CLUSTERS, (writer, turn) =>
    writer.dropScope(`c${turn}`),
  );
  await comparison.finish();
}

/** Measures fillfactors of the object table, with the tombstone index of the migrations and with a wide one. */
export async function objectFillfactor(world: World): Promise<void> {
  for (const contentBytes of [CONTENT_BYTES, LARGE_CONTENT_BYTES]) {
    await compareFills(world, contentBytes);
  }
}

async function compareFills(world: World, contentBytes: number): Promise<void> {
  await using comparison = await compareLayouts(world, FILLS);
  const clusters = namesOf(CHURNED_CLUSTERS);
  await comparison.each((writer) => writer.open(clusters));
  const title = `objects of ${contentBytes} bytes`;
  await comparison.write(`${title}, fresh`, clusters, inserts(OBJECTS, contentBytes));
  await comparison.each((writer) => writer.query("CHECKPOINT"));
  await comparison.write(
    `${title}, each updated ${CHURN} times`,
    clusters,
    updates(OBJECTS, CHURN, contentBytes),
  );
  await comparison.finish();
}

/**
 * Measures thresholds of autovacuum in a table of which most rows do not change. The benchmark is short, so it needs a
 * server with an `autovacuum_naptime` of a few seconds.
 */
export async function objectVacuum(world: World): Promise<void> {
  await using comparison = await compareLayouts(world, VACUUMS);
  const clusters = namesOf(CHURNED_CLUSTERS);
  await comparison.each((writer) => writer.open([...clusters, "large"]));
  await comparison.write("fresh inserts", clusters, inserts(OBJECTS));
  await comparison.each(async (writer) => {
    await writer.copyObjects("c0", "large", (2 * LARGE_OBJECTS) / OBJECTS);
    await writer.query("VACUUM ANALYZE kubernetes_object");
  });
  await comparison.write(`some updated ${2 * CHURN} times`, clusters, updates(OBJECTS, 2 * CHURN));
  await comparison.finish();
}

function namesOf(clusters: number): string[] {
  return Array.from({ length: clusters }, (_, index) => `c${index}`);
}

function* inserts(objects: number, contentBytes = CONTENT_BYTES): Generator<Batch> {
  for (let first = 0; first < objects; first += BATCH) {
    yield createBatch(first, BATCH, contentBytes, 1);
  }
}

/**
 * Yields updates of every object once per round. Neighbours in the table are in different batches, like live changes.
 */
function* updates(objects: number, rounds: number, contentBytes = CONTENT_BYTES): Generator<Batch> {
  const stride = objects / BATCH;
  for (let round = 0; round < rounds; round += 1) {
    for (let offset = 0; offset < stride; offset += 1) {
      const items = Array.from(
        { length: BATCH },
        (_, index) => createBatch(index * stride + offset, 1, contentBytes, 2 + round).items,
      );
      yield create(BatchSchema, { resourceType: PODS, type: BatchType.DEFAULT, items: items.flat() });
    }
  }
}
