import { constants, zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { create, fromBinary } from "@bufbuild/protobuf";
import { type Batch, BatchSchema } from "../../gen/proto/evenkeel/v1/batch_pb.ts";
import { type CompressedBatch, CompressedBatchSchema } from "../../gen/proto/evenkeel/v1/event_pb.ts";
import { assertDecodable } from "../domain/assert-decodable.ts";
import { TerminalError } from "../lib/errors.ts";
import { MAX_UNCOMPRESSED_BYTES } from "./expanded-bytes.ts";

/** Smallest batch that is compressed, in bytes: below it the frame and the work cost more than compression saves. */
const MIN_BYTES = 1024;

/** Largest share of its size that a compressed batch may have. Otherwise the batch is sent uncompressed. */
const MAX_SHARE = 0.9;

/** The fastest level: it compresses manifests to about a tenth at 300 MB/s or more. Higher levels save little more. */
const params = { [constants.ZSTD_c_compressionLevel]: 1 };

/** Compresses the bytes of a batch. Returns undefined if that does not save enough. */
export function compressBatch(bytes: Uint8Array): CompressedBatch | undefined {
  if (bytes.byteLength < MIN_BYTES) {
    return undefined;
  }
  const zstd = zstdCompressSync(bytes, { params });
  return zstd.byteLength > bytes.byteLength * MAX_SHARE
    ? undefined
    : create(CompressedBatchSchema, { zstd, uncompressedBytes: bytes.byteLength });
}

/**
 * Expands a compressed batch. It never takes more memory than the declared size, and counts the items before it decodes
 * them: a batch of 417 bytes can hold 2 million.
 *
 * @throws TerminalError if the declared size is wrong, or size or items are above the limit
 */
export function expandBatch({ zstd, uncompressedBytes }: CompressedBatch): Batch {
  if (uncompressedBytes > MAX_UNCOMPRESSED_BYTES) {
    throw new TerminalError(
      `compressed batch: expected at most ${MAX_UNCOMPRESSED_BYTES} uncompressed bytes, found ${uncompressedBytes}`,
    );
  }
  const { buffer, byteOffset, byteLength } = zstdDecompressSync(zstd, {
    maxOutputLength: Math.max(uncompressedBytes, 1),
  });
  const bytes = new Uint8Array(buffer, byteOffset, byteLength);
  if (bytes.byteLength !== uncompressedBytes) {
    throw new TerminalError(
      `compressed batch: expected ${uncompressedBytes} uncompressed bytes, found ${bytes.byteLength}`,
    );
  }
  assertDecodable(BatchSchema, bytes);
  return fromBinary(BatchSchema, bytes, { readUnknownFields: false });
}
