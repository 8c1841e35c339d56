import { create, toBinary } from "@bufbuild/protobuf";
import type { Event } from "../../gen/proto/evenkeel/v1/event_pb.ts";
import {
  type ResourcesReconciled,
  ResourcesReconciledSchema,
} from "../../gen/proto/evenkeel/v1/reconciliation_pb.ts";
import { TerminalError } from "../lib/errors.ts";
import { ENVELOPE_BYTES } from "./split-batch.ts";

/**
 * Splits ends of comparisons into bodies of events that fit into the bus's messages: it halves them until each part
 * fits.
 *
 * @throws TerminalError if one end is too large
 */
export function splitEnds(reconciled: ResourcesReconciled, maxMessageBytes: number): Event["body"][] {
  const bytes = toBinary(ResourcesReconciledSchema, reconciled).byteLength;
  if (bytes + ENVELOPE_BYTES <= maxMessageBytes) {
    return [{ case: "resourcesReconciled", value: reconciled }];
  }
  const { ends } = reconciled;
  if (ends.length <= 1) {
    throw new TerminalError(`comparison: ${bytes} bytes of its end do not fit into a message of the bus`);
  }
  const middle = Math.ceil(ends.length / 2);
  return [ends.slice(0, middle), ends.slice(middle)].flatMap((half) =>
    splitEnds(create(ResourcesReconciledSchema, { ...reconciled, ends: half }), maxMessageBytes),
  );
}
