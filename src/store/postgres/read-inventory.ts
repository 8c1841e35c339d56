import { create } from "@bufbuild/protobuf";
import type { Pool } from "pg";
import { RunChunkSchema } from "../../../gen/proto/evenkeel/v1/batch_pb.ts";
import { VerifyObjectSchema } from "../../../gen/proto/evenkeel/v1/object_pb.ts";
import {
  type ResourceInventory,
  ResourceInventorySchema,
} from "../../../gen/proto/evenkeel/v1/reconciliation_pb.ts";
import { ObjectRefSchema, type ResourceType } from "../../../gen/proto/evenkeel/v1/resource_pb.ts";
import { formatKey } from "../../domain/object-key.ts";
import type { RunAttempt } from "../ingest-store.ts";
import { type InventoryRow, selectInventory } from "../sql/select-inventory.ts";
import { translated } from "./database.ts";

/** Rows in a chunk: about 70 KB of Protobuf, and with the longest names less than any bus takes. */
const CHUNK_ROWS = 500;

/**
 * What Postgres believes of a kind, in chunks that tile the key space. Each chunk is read by one query that goes
 * on where the last one ended, so no snapshot is held open; each is compared on its own, and what changes between
 * two of them is on its way in the stream.
 */
export async function* readInventory(
  signal: AbortSignal,
  pool: Pool,
  answer: RunAttempt,
  resourceType: ResourceType,
): AsyncGenerator<ResourceInventory, void, undefined> {
  const { position, request, attempt } = answer;
  let after = { namespace: "", name: "" };
  for (let last = false; !last; ) {
    signal.throwIfAborted();
    const { incarnation, highWaterMark, rows } = await translated(() =>
      selectInventory(pool, position, resourceType, request.initiator, after, CHUNK_ROWS),
    );
    last = rows.length < CHUNK_ROWS;
    const through = last ? after : (rows.at(-1) ?? after);
    yield create(ResourceInventorySchema, {
      resourceType,
      incarnation,
      objects: rows.filter((row) => !row.managed).map(toVerifyObject),
      chunk: create(RunChunkSchema, {
        runId: request.runId,
        attempt,
        after: after.name === "" ? "" : formatKey(after),
        through: last ? "" : formatKey(through),
        last,
        trigger: request.trigger,
        highWatermark: highWaterMark,
        managed: rows.filter((row) => row.managed).map(toRef),
      }),
    });
    after = { namespace: through.namespace, name: through.name };
  }
}

function toVerifyObject(row: InventoryRow) {
  return create(VerifyObjectSchema, {
    ref: toRef(row),
    uid: row.uid,
    resourceVersion: row.resource_version,
    checksum: row.checksum ?? new Uint8Array(),
    contentFormat: row.form,
  });
}

function toRef({ namespace, name }: Pick<InventoryRow, "namespace" | "name">) {
  return create(ObjectRefSchema, { namespace, name });
}
