import type { Batch, InventoryChunk } from "../../../gen/proto/evenkeel/v1/batch_pb.ts";
import { compareKeys, formatKey } from "../../domain/object-key.ts";
import { BadInventoryError, type KeyRange } from "../../domain/reconciliation/key-ranges.ts";
import { type Address, PackedRecords } from "../watch/packed-records.ts";
import type { StoredObject } from "./diff.ts";

/** A chunk of an inventory in packed form. As messages it would take four times the memory while it waits. */
export interface PackedChunk {
  readonly range: KeyRange;
  readonly incarnation: bigint;
  readonly highWatermark: string;
  readonly managed: ReadonlySet<string>;
  readonly bytes: number;
  /** Number of stored objects in the chunk. */
  readonly size: number;
  /** Returns the stored objects in the order in which they arrived. */
  stored(): Iterable<StoredObject>;
}

const NO_CHECKSUM = new Uint8Array();

/**
 * Packs the items of a batch.
 *
 * @throws BadInventoryError when an item is no VerifyObject, or its key is outside the chunk's range.
 */
export function packInventory(batch: Batch, chunk: InventoryChunk): PackedChunk {
  const after = chunk.range?.after === undefined ? "" : formatKey(chunk.range.after);
  const last = chunk.range?.through === undefined;
  const through = chunk.range?.through === undefined ? "" : formatKey(chunk.range.through);
  const records = new PackedRecords();
  const addresses: Address[] = [];
  const contentFormats: string[] = [];
  for (const { message } of batch.items) {
    if (message.case !== "verifyObject" || message.value.ref === undefined) {
      throw new BadInventoryError(`expected VerifyObject, found ${message.case ?? "an unknown message"}`);
    }
    const { ref, uid, resourceVersion, checksum, contentFormat } = message.value;
    const key = formatKey(ref);
    if (compareKeys(key, after) <= 0 || (!last && compareKeys(key, through) > 0)) {
      throw new BadInventoryError(
        `inventory: expected a key in the range (${after}, ${last ? "end" : through}], found "${key}"`,
      );
    }
    addresses.push(
      records.add(Buffer.from(key), {
        uid,
        resourceVersion,
        checksum: checksum.length === 0 ? undefined : checksum,
      }),
    );
    // Nearly all objects have the same format: keep its string once.
    contentFormats.push(
      contentFormat === ""
        ? batch.contentFormat
        : contentFormat === contentFormats.at(-1)
          ? (contentFormats.at(-1) ?? contentFormat)
          : contentFormat,
    );
  }
  return {
    range: { after, through, last },
    incarnation: batch.incarnation ?? 0n,
    highWatermark: chunk.highWatermark,
    managed: new Set(chunk.managed.map(formatKey)),
    size: addresses.length,
    bytes: records.bytes + 16 * addresses.length,
    *stored() {
      for (const [i, address] of addresses.entries()) {
        const { uid, resourceVersion, checksum = NO_CHECKSUM } = records.get(address);
        yield {
          key: records.key(address),
          uid,
          resourceVersion,
          checksum,
          contentFormat: contentFormats[i] ?? "",
        };
      }
    },
  };
}
