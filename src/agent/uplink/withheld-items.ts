import { create } from "@bufbuild/protobuf";
import { type Batch, type BatchItem, BatchItemSchema } from "../../../gen/proto/evenkeel/v1/batch_pb.ts";
import { PutObjectSchema } from "../../../gen/proto/evenkeel/v1/object_pb.ts";
import { MAX_REASON_LENGTH } from "../../domain/limits.ts";
import { keyOfItem } from "../../domain/observations.ts";
import { resourceTypeKey } from "../../domain/resource-type.ts";

/** Most refused items that are remembered; the oldest are forgotten first, and refused again if they return. */
const MAX_REFUSED = 10_000;

/** An item that the backend refused. */
interface RefusedItem {
  readonly reason: string;
  /** True if the backend refused it without its content, too. */
  readonly isSkipped: boolean;
}

/**
 * Items that the backend refused, although they satisfy this agent's contract. A refused Put is sent without its
 * content, and its row becomes quarantined. If that is refused too, or if it is a Delete, it is not sent. An
 * object that changes is sent again.
 */
export class WithheldItems {
  readonly #refused = new Map<string, RefusedItem>();

  /** Records the refusal of an item of a batch. */
  refuse(batch: Batch, item: BatchItem, reason: string): void {
    const identity = identityOf(batch, item);
    const hasContent = item.message.case === "putObject" && item.message.value.content.length > 0;
    this.#refused.delete(identity);
    this.#refused.set(identity, { reason, isSkipped: !hasContent });
    const [oldest] = this.#refused.keys();
    if (this.#refused.size > MAX_REFUSED && oldest !== undefined) {
      this.#refused.delete(oldest);
    }
  }

  /** Returns the batch as it may be sent: refused Puts without content, and without the items to skip. */
  applyTo(batch: Batch): Batch {
    if (this.#refused.size === 0) {
      return batch;
    }
    return { ...batch, items: batch.items.flatMap((item) => this.#apply(batch, item)) };
  }

  #apply(batch: Batch, item: BatchItem): BatchItem | [] {
    const { message } = item;
    const refused = this.#refused.get(identityOf(batch, item));
    if (refused === undefined) {
      return item;
    }
    if (refused.isSkipped || message.case !== "putObject") {
      return [];
    }
    const quarantineReason = `refused by the backend: ${refused.reason}`.slice(0, MAX_REASON_LENGTH);
    const value = create(PutObjectSchema, {
      ...message.value,
      content: new Uint8Array(),
      quarantineReason: quarantineReason.toWellFormed(),
    });
    return create(BatchItemSchema, { message: { case: "putObject", value } });
  }
}

function identityOf(batch: Batch, item: BatchItem): string {
  const { message } = item;
  const state =
    message.case === "putObject"
      ? [message.value.uid, message.value.resourceVersion]
      : message.case === "deleteObject"
        ? [message.value.uid, message.value.observedVersion]
        : [];
  return JSON.stringify([resourceTypeKey(batch.resourceType), message.case, keyOfItem(item), ...state]);
}
