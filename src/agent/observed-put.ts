import type { BatchItem } from "../../gen/proto/evenkeel/v1/batch_pb.ts";
import type { KubeObject } from "../kube/kube-object.ts";
import { type ObjectContent, toContent, withoutContent } from "./object-content.ts";
import { findItemProblem } from "./representation.ts";
import { putItem } from "./uplink/batch-items.ts";

/** State of an object as it was read. */
export interface ObservedState {
  readonly object: KubeObject;
  /** Reason why only the metadata is known; unset if the object is complete. */
  readonly problem?: string;
}

/** A Put, and the content that it carries or withholds. */
export interface ObservedPut {
  readonly item: BatchItem;
  readonly content: ObjectContent;
}

/**
 * Creates the observation "the object was this" at `observedVersion`, without what the contract cannot carry.
 * The key must be one that a row can have.
 */
export function createPut(
  { object, problem }: ObservedState,
  contentFormat: string,
  observedVersion: string,
): ObservedPut {
  const content =
    problem === undefined
      ? toContent(object, contentFormat)
      : withoutContent(object.metadata, contentFormat, problem);
  const put = { item: putItem(object, content, observedVersion), content };
  const violation = findItemProblem(put.item);
  if (violation !== undefined) {
    put.content = withoutContent(object.metadata, contentFormat, violation);
    put.item = putItem(object, put.content, observedVersion);
  }
  return put;
}
