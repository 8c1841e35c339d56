import { create, toBinary } from "@bufbuild/protobuf";
import {
  type Batch,
  type BatchItem,
  BatchItemSchema,
  BatchSchema,
} from "../../gen/proto/evenkeel/v1/batch_pb.ts";
import type { Event } from "../../gen/proto/evenkeel/v1/event_pb.ts";
import { MAX_CONTENT_BYTES } from "../domain/limits.ts";
import { latestPerObject } from "../domain/observations.ts";
import { TerminalError } from "../lib/errors.ts";
import { compressBatch } from "./compression.ts";

/** Requirements of a bus for batches. */
export interface PackLimits {
  /** Largest payload of a message, in bytes. */
  readonly maxMessageBytes: number;
  /** True if bytes cost more than the work of compressing them. */
  readonly compress: boolean;
}

/** Largest envelope, in bytes: account, cluster and its uid, trace context, numbers. */
export const ENVELOPE_BYTES = 1024;

/** Largest item without its content, in bytes, by the contract's limits on names, versions and reasons. */
const ITEM_BYTES = 2048;

/** Largest message that one object needs, in bytes: its content has at most `MAX_CONTENT_BYTES`. */
export const LARGEST_MESSAGE_BYTES = MAX_CONTENT_BYTES + ENVELOPE_BYTES + ITEM_BYTES;

/**
 * Splits a batch into bodies of events that fit into the bus's messages: it halves the items until each part fits.
 * Of several items about one object only the last is kept. An object that does not fit alone is sent without content
 * and with a quarantine reason.
 *
 * @throws TerminalError if a batch without items or an item without content is too large
 */
export function packBatch(batch: Batch, limits: PackLimits): Event["body"][] {
  const whole = toFittingBody(batch, limits);
  if (whole.body !== undefined) {
    return [whole.body];
  }
  // In two parts, a redelivery could reverse the order of two items about one object.
  const items = latestPerObject(batch.items);
  const [first] = items;
  if (first === undefined) {
    throw new TerminalError(`batch without items: ${whole.bytes} bytes do not fit into a message of the bus`);
  }
  if (items.length === 1) {
    const { body, bytes } = toFittingBody(
      withItems(batch, [withoutContent(first, whole.bytes, limits)]),
      limits,
    );
    if (body === undefined) {
      throw new TerminalError(`item without content: ${bytes} bytes do not fit into a message of the bus`);
    }
    return [body];
  }
  const middle = Math.ceil(items.length / 2);
  return [items.slice(0, middle), items.slice(middle)].flatMap((half) =>
    packBatch(withItems(batch, half), limits),
  );
}

/** Returns the size of the body, and the body unless it is too large. */
function toFittingBody(
  batch: Batch,
  { maxMessageBytes, compress }: PackLimits,
): { readonly body?: Event["body"]; readonly bytes: number } {
  const atMost = sizeAtMost(batch);
  if (!compress && atMost <= maxMessageBytes) {
    return { bytes: atMost, body: { case: "batch", value: batch } };
  }
  const bytes = toBinary(BatchSchema, batch);
  const compressed = compress ? compressBatch(bytes) : undefined;
  const size = compressed?.zstd.byteLength ?? bytes.byteLength;
  if (size + ENVELOPE_BYTES > maxMessageBytes) {
    return { bytes: size };
  }
  const body: Event["body"] =
    compressed === undefined
      ? { case: "batch", value: batch }
      : { case: "compressedBatch", value: compressed };
  return { bytes: size, body };
}

/** Returns an upper bound of the size, without encoding the batch. */
function sizeAtMost({ items, chunk }: Batch): number {
  const contents = items.reduce(
    (sum, { message }) => sum + (message.case === "putObject" ? message.value.content.byteLength : 0),
    0,
  );
  return ENVELOPE_BYTES + contents + (items.length + (chunk === undefined ? 0 : 1)) * ITEM_BYTES;
}

function withItems(batch: Batch, items: BatchItem[]): Batch {
  return create(BatchSchema, { ...batch, items });
}

function withoutContent({ message }: BatchItem, bytes: number, { maxMessageBytes }: PackLimits): BatchItem {
  if (message.case !== "putObject") {
    throw new TerminalError(`item without content: ${bytes} bytes do not fit into a message of the bus`);
  }
  const { content } = message.value;
  const quarantineReason =
    `content of ${content.byteLength} bytes needs a message of ${bytes} bytes; ` +
    `the bus accepts at most ${maxMessageBytes}`;
  const value = { ...message.value, content: new Uint8Array(), quarantineReason };
  return create(BatchItemSchema, { message: { case: "putObject", value } });
}
