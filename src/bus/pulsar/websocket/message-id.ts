import { Buffer } from "node:buffer";
import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";

/** Fields of Pulsar's `MessageIdData`. */
const LEDGER = 1;
const ENTRY = 2;
const PARTITION = 3;

/**
 * Returns the position of a message in the notation of Pulsar's own tools: "ledger:entry", or
 * "ledger:entry:partition" for a partitioned topic. Returns a `messageId` that is not a `MessageIdData` in
 * base64 unchanged.
 */
export function toMessageId(messageId: string): string {
  const numbers = readNumbers(Buffer.from(messageId, "base64"));
  const [ledger, entry, partition] = [LEDGER, ENTRY, PARTITION].map((field) => numbers?.get(field));
  if (ledger === undefined || entry === undefined) {
    return messageId;
  }
  return partition === undefined ? `${ledger}:${entry}` : `${ledger}:${entry}:${partition}`;
}

function readNumbers(bytes: Uint8Array): Map<number, string> | undefined {
  try {
    const numbers = new Map<number, string>();
    for (const reader = new BinaryReader(bytes); reader.pos < reader.len; ) {
      const [field, type] = reader.tag();
      if (type === WireType.Varint) {
        numbers.set(field, String(reader.uint64()));
      } else {
        reader.skip(type);
      }
    }
    return numbers;
  } catch {
    return undefined;
  }
}
