import { type Batch, type BatchItem, BatchType } from "../../../gen/proto/evenkeel/v1/batch_pb.ts";
import { type FieldViolation, InvalidArgumentError } from "../../lib/errors.ts";

/**
 * Checks the rules of an agent's batch that the .proto cannot express: it contains observations only; all of
 * them or none have an observed version; each takes its resource type from the batch; the incarnation is not
 * above the session's epoch.
 *
 * @throws InvalidArgumentError with the path of each invalid field.
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
    yield { field: "batch.type", description: `expected type DEFAULT from an agent, found type ${type}` };
  }
  if (incarnation !== undefined && incarnation > epoch) {
    yield {
      field: "batch.incarnation",
      description: `expected at most the session's epoch ${epoch}, found ${incarnation}`,
    };
  }
  const isVersioned = items.length > 0 && observedVersionOf(batch, items[0]) !== "";
  for (const [index, item] of items.entries()) {
    const field = `batch.items[${index}]`;
    const { message } = item;
    if (message.case === "verifyObject") {
      yield {
        field: `${field}.verify_object`,
        description: "expected put_object or delete_object in a batch of type DEFAULT",
      };
    }
    if (message.value?.ref?.resourceType !== undefined) {
      yield {
        field: `${field}.${toSnakeCase(message.case)}.ref.resource_type`,
        description: "expected no value; the batch's resource type applies",
      };
    }
    if ((observedVersionOf(batch, item) !== "") !== isVersioned) {
      const description = "expected an observed version for all items of the batch, or for none";
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
  return name.replaceAll(/[A-Z]/g, (capital) => `_${capital.toLowerCase()}`);
}
