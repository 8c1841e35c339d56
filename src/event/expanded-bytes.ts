import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import { CompressedBatchSchema, EventSchema } from "../../gen/proto/evenkeel/v1/event_pb.ts";

/** Largest size of a compressed batch, expanded, in bytes: the contract's limit. */
export const MAX_UNCOMPRESSED_BYTES = 64 * 1024 * 1024;

const COMPRESSED_BATCH = EventSchema.field.compressedBatch.number;
const UNCOMPRESSED_BYTES = CompressedBatchSchema.field.uncompressedBytes.number;

/**
 * Returns the size of an encoded event with its batch expanded, in bytes. Reads only the fields around the batch. Of
 * what is not an event, returns the size as it is: the decoder refuses it later.
 */
export function expandedBytes(payload: Uint8Array): number {
  try {
    const declared = readDeclaredBytes(new BinaryReader(payload));
    return payload.byteLength + Math.min(declared, MAX_UNCOMPRESSED_BYTES);
  } catch {
    return payload.byteLength;
  }
}

/** Returns the declared size of the event's compressed batch; 0 if it has none. */
function readDeclaredBytes(reader: BinaryReader): number {
  let declared = 0;
  while (reader.pos < reader.len) {
    const [number, type] = reader.tag();
    if (number === COMPRESSED_BATCH && type === WireType.LengthDelimited) {
      const batch = new BinaryReader(reader.bytes());
      while (batch.pos < batch.len) {
        const [inner, innerType] = batch.tag();
        if (inner === UNCOMPRESSED_BYTES && innerType === WireType.Varint) {
          declared = batch.uint32();
        } else {
          batch.skip(innerType, inner);
        }
      }
    } else {
      reader.skip(type, number);
    }
  }
  return declared;
}
