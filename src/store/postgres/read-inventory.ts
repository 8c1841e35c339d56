import { create } from "@bufbuild/protobuf";
import type { Pool } from "pg";
import { InventoryChunkSchema } from "../../../gen/proto/evenkeel/v1/batch_pb.ts";
import { VerifyObjectSchema } from "../../../gen/proto/evenkeel/v1/object_pb.ts";
import {
  type ResourceInventory,
  ResourceInventorySchema,
} from "../../../gen/proto/evenkeel/v1/reconciliation_pb.ts";
import {
  ObjectKeySchema,
  ObjectRefSchema,
  type ResourceType,
} from "../../../gen/proto/evenkeel/v1/resource_pb.ts";
import { INVENTORY_CHUNK_ROWS } from "../../domain/limits.ts";
import type { RunAttempt } from "../ingest-store.ts";
import { type InventoryRow, selectInventory } from "../sql/select-inventory.ts";
import { translated } from "./database.ts";

/**
 * Reads the inventory of a resource type in chunks that tile the key space. Each chunk is one query that continues
 * behind the last one, so no snapshot stays open. The agent compares each chunk separately, and changes between two
 * queries are in the stream.
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
    const { incarnation, highWatermark, rows } = await translated(() =>
      selectInventory(pool, position, resourceType, request.initiator, after, INVENTORY_CHUNK_ROWS),
    );
    last = rows.length < INVENTORY_CHUNK_ROWS;
    const through = last ? after : (rows.at(-1) ?? after);
    yield create(ResourceInventorySchema, {
      resourceType,
      incarnation,
      objects: rows.filter((row) => !row.managed).map(toVerifyObject),
      chunk: create(InventoryChunkSchema, {
        run: { runId: request.runId, attempt },
        range: {
          ...(after.name !== "" && { after: toKey(after) }),
          ...(!last && { through: toKey(through) }),
        },
        trigger: request.trigger,
        highWatermark,
        managed: rows.filter((row) => row.managed).map(toKey),
      }),
    });
    after = { namespace: through.namespace, name: through.name };
  }
}

function toVerifyObject(row: InventoryRow) {
  return create(VerifyObjectSchema, {
    ref: create(ObjectRefSchema, { namespace: row.namespace, name: row.name }),
    uid: row.uid,
    resourceVersion: row.resource_version,
    checksum: row.checksum ?? new Uint8Array(),
    contentFormat: row.content_format,
  });
}

function toKey({ namespace, name }: Pick<InventoryRow, "namespace" | "name">) {
  return create(ObjectKeySchema, { namespace, name });
}
