import type { Batch, BatchItem } from "../../../gen/proto/evenkeel/v1/batch_pb.ts";
import { DeleteReason } from "../../../gen/proto/evenkeel/v1/object_pb.ts";
import type { ObjectRef } from "../../../gen/proto/evenkeel/v1/resource_pb.ts";
import { findContentProblem } from "../../domain/check-content.ts";
import { checksumOf, sameChecksum } from "../../domain/content-format.ts";
import { compareKeys } from "../../domain/object-key.ts";
import {
  findBatchViolations,
  keyOfItem,
  latestPerObject,
  observedVersionOf,
} from "../../domain/observations.ts";
import { TerminalError } from "../../lib/errors.ts";
import type { StreamPosition } from "../ingest-store.ts";

/** An observation of an object, in the form of its row. */
export interface Observation {
  readonly namespace: string;
  readonly name: string;
  readonly state: "present" | "absent" | "quarantined";
  readonly uid: string;
  readonly resourceVersion: string;
  readonly observedVersion: string;
  /** Canonical JSON in UTF-8; null unless the object is present. */
  readonly content: Uint8Array | null;
  /** Null if the object is absent, or if its content violates the contract: then each run repairs the row. */
  readonly checksum: Uint8Array | null;
  readonly contentFormat: string;
  readonly quarantineReason: string | null;
  /** True if it arrived quarantined, without content. */
  readonly announced?: boolean;
  /** Set if the object is absent from a list: how many objects the list lacks, as `DeleteObject.missing` defines. */
  readonly missing?: number;
}

/** The observations of a batch, by key, and the incarnation of their versions. */
export interface BatchObservations {
  /** Undefined: the stored incarnation of the resource type. */
  readonly incarnation: bigint | undefined;
  readonly orderedBy: "VERSION" | "POSITION";
  readonly observations: readonly Observation[];
}

/**
 * Reads the observations of a DEFAULT batch: the last one of each key, sorted by key, so that all statements take row
 * locks in the same order. If neither item nor batch has an observed version, the position in the stream (epoch,
 * sequence) takes its place. An object whose content violates the contract becomes quarantined.
 *
 * @throws TerminalError if the batch violates the contract
 */
export function toObservations(position: StreamPosition, batch: Batch): BatchObservations {
  for (const { rule } of findBatchViolations(position.epoch, batch)) {
    throw new TerminalError(
      rule === "incarnation"
        ? `batch: expected an incarnation of at most the session's epoch ${position.epoch}, found ${batch.incarnation}`
        : "batch: expected an observed version for all items or for none, found both",
    );
  }
  const [first] = batch.items;
  const ordered = first === undefined || observedVersionOf(batch, first) !== "";
  const defaults = {
    observedVersion: ordered ? batch.observedVersion : String(position.sequence),
    contentFormat: batch.contentFormat,
  };
  const byKey = latestPerObject(batch.items).map((item): [string, Observation] => [
    keyOfItem(item),
    toObservation(item, defaults),
  ]);
  return {
    incarnation: ordered ? batch.incarnation : position.epoch,
    orderedBy: ordered ? "VERSION" : "POSITION",
    observations: byKey.sort(([a], [b]) => compareKeys(a, b)).map(([, observation]) => observation),
  };
}

/**
 * Returns the quarantined form of an observation. With a checksum, its row prevents the object from being sent again
 * before it changes.
 */
export function toQuarantined(observation: Observation, reason: string): Observation {
  return { ...observation, state: "quarantined", content: null, quarantineReason: reason };
}

/** Returns the observation that an object was absent. */
export function toAbsent({
  namespace,
  name,
  uid,
  observedVersion,
}: Pick<Observation, "namespace" | "name" | "uid" | "observedVersion">): Observation {
  return {
    namespace,
    name,
    state: "absent",
    uid,
    resourceVersion: "",
    observedVersion,
    content: null,
    checksum: null,
    contentFormat: "",
    quarantineReason: null,
  };
}

interface BatchDefaults {
  readonly observedVersion: string;
  readonly contentFormat: string;
}

function toObservation({ message }: BatchItem, defaults: BatchDefaults): Observation {
  switch (message.case) {
    case "putObject": {
      const put = message.value;
      const present: Observation = {
        ...keyOf(put.ref),
        state: "present",
        uid: put.uid,
        resourceVersion: put.resourceVersion,
        observedVersion: put.observedVersion || defaults.observedVersion,
        content: put.content,
        checksum: put.checksum,
        contentFormat: put.contentFormat || defaults.contentFormat,
        quarantineReason: null,
      };
      if (put.quarantineReason !== "") {
        return { ...toQuarantined(present, put.quarantineReason), announced: true };
      }
      const problem = sameChecksum(checksumOf(put.content), put.checksum)
        ? findContentProblem(put.content, present)
        : "the checksum does not match the content";
      return problem === undefined ? present : toQuarantined({ ...present, checksum: null }, problem);
    }
    case "deleteObject":
      return {
        ...toAbsent({
          ...keyOf(message.value.ref),
          uid: message.value.uid,
          observedVersion: message.value.observedVersion || defaults.observedVersion,
        }),
        ...(message.value.reason === DeleteReason.NOT_LISTED && { missing: Number(message.value.missing) }),
      };
    case "verifyObject":
    case undefined:
      throw new TerminalError(
        `batch: expected PutObject or DeleteObject in a DEFAULT batch, found ${message.case ?? "nothing"}`,
      );
    default:
      throw new TerminalError(`batch: unknown message ${String(message satisfies never)}`);
  }
}

function keyOf(ref: ObjectRef | undefined): { readonly namespace: string; readonly name: string } {
  if (ref === undefined) {
    throw new TerminalError("batch: an item names no object");
  }
  return { namespace: ref.namespace, name: ref.name };
}
