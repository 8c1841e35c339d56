import { create, toBinary } from "@bufbuild/protobuf";
import type { RunRef } from "../../../gen/proto/evenkeel/v1/batch_pb.ts";
import {
  type ResourceReconciled,
  ResourceReconciledSchema,
  type ResourcesReconciled,
  ResourcesReconciledSchema,
} from "../../../gen/proto/evenkeel/v1/reconciliation_pb.ts";
import type { ResourceType } from "../../../gen/proto/evenkeel/v1/resource_pb.ts";
import { MAX_ENDS } from "../../domain/limits.ts";
import { resourceTypeKey } from "../../domain/resource-type.ts";
import { MARKER_BYTES } from "./marker-segment.ts";

/** Ends of comparisons of one attempt of a run that wait for others, because they share a message. */
export class HeldEnds {
  readonly #run: RunRef;
  readonly #ends = new Map<string, ResourceReconciled>();
  #bytes = MARKER_BYTES;

  constructor(run: RunRef) {
    this.#run = run;
  }

  /** Bytes of the message. */
  get bytes(): number {
    return this.#bytes;
  }

  /** True if the end of a comparison of the resource type is among them. */
  has(resourceType: ResourceType | undefined): boolean {
    return this.#ends.has(resourceTypeKey(resourceType));
  }

  /** True if the end may join: a message has one attempt, each resource type once, and `maxBytes`. */
  accepts({ runId, attempt }: RunRef, end: ResourceReconciled, maxBytes: number): boolean {
    return (
      runId === this.#run.runId &&
      attempt === this.#run.attempt &&
      !this.has(end.resourceType) &&
      this.#ends.size < MAX_ENDS &&
      this.#bytes + sizeOfEnd(end) <= maxBytes
    );
  }

  add(end: ResourceReconciled): void {
    this.#ends.set(resourceTypeKey(end.resourceType), end);
    this.#bytes += sizeOfEnd(end);
  }

  toMessage(): ResourcesReconciled {
    return create(ResourcesReconciledSchema, { run: this.#run, ends: [...this.#ends.values()] });
  }
}

/** Bytes of a field's tag and length around an end, rounded up. */
const FRAME_BYTES = 8;

function sizeOfEnd(end: ResourceReconciled): number {
  return toBinary(ResourceReconciledSchema, end).byteLength + FRAME_BYTES;
}
