import { type Batch, type BatchItem, BatchType } from "../../../gen/proto/evenkeel/v1/batch_pb.ts";
import { type FieldViolation, InvalidArgumentError } from "../../lib/errors.ts";

/**
 * Checks what the rules in the .proto cannot say of an agent's batch: it holds observations only, all of them
 * with an observed version or none, each names its object's kind by the batch's, and its incarnation is not younger than
 * the session. Throws `InvalidArgumentError` with the paths of what is wrong.
 */
export function validateBatch(epoch: bigint, batch: Batch): void {
  const violations = [...findViolations(epoch, batch)];
  if (violations.length > 0) {
    throw new InvalidArgumentError(violations);
  }
}

function* findViolations(epoch: bigint, batch: Batch): Generator<FieldViolation, void, undefined> {
  const { type, incarnation, items } = batch;
  if (type !== BatchType.DEFAULT) {
    yield { field: "batch.type", description: `an agent sends batches of type DEFAULT, found type ${type}` };
  }
  if (incarnation !== undefined && incarnation > epoch) {
    yield { field: "batch.incarnation", description: `must not be above the session's epoch ${epoch}` };
  }
  const isVersioned = items.length > 0 && observedVersionOf(batch, items[0]) !== "";
  for (const [index, item] of items.entries()) {
    const field = `batch.items[${index}]`;
    const { message } = item;
    if (message.case === "verifyObject") {
      yield {
        field: `${field}.verify_object`,
        description: "a DEFAULT batch holds put_object and delete_object",
      };
    }
    if (message.value?.ref?.resourceType !== undefined) {
      yield {
        field: `${field}.${toSnakeCase(message.case)}.ref.resource_type`,
        description: "must be unset: the batch's holds",
      };
    }
    if ((observedVersionOf(batch, item) !== "") !== isVersioned) {
      const description = "a batch gives all of its items an observed version, or none";
      yield { field: `${field}.${toSnakeCase(message.case)}.observed_version`, description };
    }
  }
}

function observedVersionOf(batch: Batch, item: BatchItem | undefined): string {
  const message = item?.message;
  const own =
    message?.case === "putObject" || message?.case === "deleteObject" ? message.value.observedVersion : "";
  return own || batch.observedVersion;
}

function toSnakeCase(name = "message"): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
