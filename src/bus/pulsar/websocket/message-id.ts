import { Buffer } from "node:buffer";
import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";

/** Fields of Pulsar's `MessageIdData`. */
const LEDGER = 1;
const ENTRY = 2;
const PARTITION = 3;

/**
 * Where a message stands, as Pulsar's own tools write it: "ledger:entry", and the partition where there is one. A
 * `messageId` that is not a `MessageIdData` in base64 is given back as it is.
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
