import { zstdCompressSync } from "node:zlib";
import { create } from "@bufbuild/protobuf";
import { CompressedBatchSchema } from "../../../gen/proto/evenkeel/v1/event_pb.ts";
import { expandBatch } from "../../../src/event/compression.ts";
import { toMessage } from "../../../src/lib/errors.ts";
import type { Finding, IsolationCase } from "../../support/isolation/isolation-case.ts";
import { readProcessMemory, resetPeakMemory } from "../../support/process-memory.ts";

const ITEMS = 8_400_000;
/** Field 6 of a batch, with nothing in it. */
const EMPTY_ITEM = Buffer.from([0x32, 0]);
const MAX_MS = 250;
const MAX_GROWTH_BYTES = 200 * 1024 * 1024;

/** Messages of a foreign producer. The server of the other cases has no bus that others reach. */
export const busMessageCases: readonly IsolationCase[] = [
  {
    row: 16,
    attack: `batch of ${ITEMS.toLocaleString("en")} empty items, compressed (the decoder alone)`,
    bound: `refused, <= ${MAX_MS} ms, <= 200 MiB`,
    run: async () => expandEmptyItems(),
  },
];

function expandEmptyItems(): Finding {
  const bytes = Buffer.alloc(ITEMS * EMPTY_ITEM.length, EMPTY_ITEM);
  const zstd = zstdCompressSync(bytes);
  const batch = create(CompressedBatchSchema, { zstd, uncompressedBytes: bytes.length });
  const before = readProcessMemory(process.pid).residentBytes;
  resetPeakMemory(process.pid);
  const start = performance.now();
  const refusal = refusalOf(() => expandBatch(batch));
  const ms = performance.now() - start;
  const growth = readProcessMemory(process.pid).peakBytes - before;
  const cost = `${ms.toFixed(0)} ms, +${(growth / 1024 / 1024).toFixed(0)} MiB`;
  const detail = `${zstd.length.toLocaleString("en")} bytes: ${refusal ?? "not refused"}; ${cost}`;
  return { detail, holds: refusal !== undefined && ms <= MAX_MS && growth <= MAX_GROWTH_BYTES };
}

function refusalOf(work: () => unknown): string | undefined {
  try {
    work();
    return undefined;
  } catch (error) {
    return toMessage(error);
  }
}
