import type { Batch, BatchItem } from "../../gen/proto/evenkeel/v1/batch_pb.ts";
import { formatKey } from "./object-key.ts";

/** Returns the key of an item's object. */
export function keyOfItem({ message }: BatchItem): string {
  return formatKey(message.value?.ref ?? { namespace: "", name: "" });
}

/** Returns the observed version that an item itself has; empty if it has none. */
export function ownObservedVersionOf({ message }: BatchItem): string {
  return message.case === "putObject" || message.case === "deleteObject" ? message.value.observedVersion : "";
}

/** Returns the observed version of an item, which is the batch's if it has none itself. */
export function observedVersionOf(batch: Batch, item: BatchItem): string {
  return ownObservedVersionOf(item) || batch.observedVersion;
}

/** A rule of a batch that one message of the contract cannot express. */
export interface BatchViolation {
  /** Index of the item; unset if the rule is about the batch. */
  readonly item?: number;
  readonly rule: "incarnation" | "observed-version";
}

/**
 * Finds what contradicts the session's epoch or the other items: an incarnation above the epoch, and items with an
 * observed version beside items without one. The backend refuses such a batch, and the store does so again.
 */
export function* findBatchViolations(
  epoch: bigint,
  batch: Batch,
): Generator<BatchViolation, void, undefined> {
  const { incarnation, items } = batch;
  if (incarnation !== undefined && incarnation > epoch) {
    yield { rule: "incarnation" };
  }
  const [first] = items;
  const isVersioned = first !== undefined && observedVersionOf(batch, first) !== "";
  for (const [index, item] of items.entries()) {
    if ((observedVersionOf(batch, item) !== "") !== isVersioned) {
      yield { rule: "observed-version", item: index };
    }
  }
}

/** Returns the last item of each object, at the place of its first. */
export function latestPerObject(items: readonly BatchItem[]): BatchItem[] {
  const latest = new Map<string, BatchItem>();
  for (const item of items) {
    latest.set(keyOfItem(item), item);
  }
  return [...latest.values()];
}
