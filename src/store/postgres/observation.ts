import type { Batch, BatchItem } from "../../../gen/proto/evenkeel/v1/batch_pb.ts";
import type { ObjectRef } from "../../../gen/proto/evenkeel/v1/resource_pb.ts";
import { checksumOf, sameChecksum } from "../../domain/checksum.ts";
import { compareKeys, formatKey } from "../../domain/object-key.ts";
import { TerminalError } from "../../lib/errors.ts";
import type { StreamPosition } from "../ingest-store.ts";

/** One statement about an object, as it goes into its row. */
export interface Observation {
  readonly namespace: string;
  readonly name: string;
  readonly state: "present" | "absent" | "quarantined";
  readonly uid: string;
  readonly resourceVersion: string;
  readonly observedVersion: string;
  /** Canonical JSON in UTF-8, when present. */
  readonly content: Uint8Array | null;
  readonly checksum: Uint8Array | null;
  readonly contentFormat: string;
  readonly quarantineReason: string | null;
  /** It came quarantined: there is no content that could be kept elsewhere. */
  readonly announced?: boolean;
}

/** The observations of a batch, by key, and the incarnation that their versions belong to. */
export interface BatchObservations {
  /** Undefined takes the kind's own. */
  readonly incarnation: bigint | undefined;
  readonly observations: readonly Observation[];
}

/**
 * Reads the observations of a DEFAULT batch. They are sorted by key, so that statements take row locks in one
 * order, and hold the last observation of each key. Where neither item nor batch names an observed version, the
 * position in the stream orders them: (epoch, sequence).
 */
export function toObservations(position: StreamPosition, batch: Batch): BatchObservations {
  const byPosition = batch.items.filter((item) => observedVersionOf(batch, item) === "").length;
  if (byPosition !== 0 && byPosition !== batch.items.length) {
    throw new TerminalError("a batch must give all of its items an observed version, or none");
  }
  if (batch.incarnation !== undefined && batch.incarnation > position.epoch) {
    throw new TerminalError(
      `incarnation ${batch.incarnation} is younger than the session that says so (epoch ${position.epoch})`,
    );
  }
  const ordered = byPosition === 0;
  const defaults = {
    observedVersion: ordered ? batch.observedVersion : String(position.sequence),
    contentFormat: batch.contentFormat,
  };
  const byKey = new Map<string, Observation>();
  for (const item of batch.items) {
    const observation = toObservation(item, defaults);
    byKey.set(formatKey(observation), observation);
  }
  return {
    incarnation: ordered ? batch.incarnation : position.epoch,
    observations: [...byKey].sort(([a], [b]) => compareKeys(a, b)).map(([, observation]) => observation),
  };
}

/** The row that stands for an object that cannot be stored, so that it is not sent again until it changes. */
export function toQuarantined(observation: Observation, reason: string): Observation {
  return { ...observation, state: "quarantined", content: null, quarantineReason: reason };
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
      return sameChecksum(checksumOf(put.content), put.checksum)
        ? present
        : toQuarantined(present, "the checksum is not that of the content");
    }
    case "deleteObject":
      return {
        ...keyOf(message.value.ref),
        state: "absent",
        uid: message.value.uid,
        resourceVersion: "",
        observedVersion: message.value.observedVersion || defaults.observedVersion,
        content: null,
        checksum: null,
        contentFormat: "",
        quarantineReason: null,
      };
    case "verifyObject":
    case undefined:
      throw new TerminalError(
        `a DEFAULT batch holds PutObject and DeleteObject, found ${message.case ?? "nothing"}`,
      );
    default:
      throw new TerminalError(`unknown message ${String(message satisfies never)} in a batch`);
  }
}

function observedVersionOf(batch: Batch, { message }: BatchItem): string {
  const own =
    message.case === "putObject" || message.case === "deleteObject" ? message.value.observedVersion : "";
  return own || batch.observedVersion;
}

function keyOf(ref: ObjectRef | undefined): { readonly namespace: string; readonly name: string } {
  if (ref === undefined) {
    throw new TerminalError("an item of a batch names no object");
  }
  return { namespace: ref.namespace, name: ref.name };
}
