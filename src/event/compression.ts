import { constants, zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { create, fromBinary } from "@bufbuild/protobuf";
import { type Batch, BatchSchema } from "../../gen/proto/evenkeel/v1/batch_pb.ts";
import { type CompressedBatch, CompressedBatchSchema } from "../../gen/proto/evenkeel/v1/event_pb.ts";
import { TerminalError } from "../lib/errors.ts";

/** Below this the frame's own bytes and the work outweigh what is saved. */
const MIN_BYTES = 1024;

/** A batch that does not become smaller than this share travels as it is. */
const MAX_SHARE = 0.9;

/** The contract's limit; what claims to be more is not expanded. */
const MAX_UNCOMPRESSED_BYTES = 64 * 1024 * 1024;

/** The quickest level: manifests come down to about a tenth at 300 MB/s and more; higher levels win little. */
const params = { [constants.ZSTD_c_compressionLevel]: 1 };

/** Compresses the bytes of a batch; undefined when that does not pay. */
export function compressBatch(bytes: Uint8Array): CompressedBatch | undefined {
  if (bytes.byteLength < MIN_BYTES) {
    return undefined;
  }
  const zstd = zstdCompressSync(bytes, { params });
  return zstd.byteLength > bytes.byteLength * MAX_SHARE
    ? undefined
    : create(CompressedBatchSchema, { zstd, uncompressedBytes: bytes.byteLength });
}

/** Reads a compressed batch. Throws `TerminalError` when it is not what it says, before it takes more memory than that. */
export function expandBatch({ zstd, uncompressedBytes }: CompressedBatch): Batch {
  if (uncompressedBytes > MAX_UNCOMPRESSED_BYTES) {
    throw new TerminalError(
      `a compressed batch of ${uncompressedBytes} bytes: at most ${MAX_UNCOMPRESSED_BYTES} are allowed`,
    );
  }
  const { buffer, byteOffset, byteLength } = zstdDecompressSync(zstd, {
    maxOutputLength: Math.max(uncompressedBytes, 1),
  });
  const bytes = new Uint8Array(buffer, byteOffset, byteLength);
  if (bytes.byteLength !== uncompressedBytes) {
    throw new TerminalError(
      `a compressed batch holds ${bytes.byteLength} bytes: it was announced with ${uncompressedBytes}`,
    );
  }
  return fromBinary(BatchSchema, bytes);
}
