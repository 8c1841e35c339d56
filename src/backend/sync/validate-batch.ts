import { type Batch, BatchType } from "../../../gen/proto/evenkeel/v1/batch_pb.ts";
import { findBatchViolations } from "../../domain/observations.ts";
import { type FieldViolation, InvalidArgumentError } from "../../lib/errors.ts";

/**
 * Checks the rules of an agent's batch that the .proto cannot express: it contains observations only; all of
 * them or none have an observed version; each takes its resource type from the batch; the incarnation is not
 * above the session's epoch; the answer to a dry run names the run.
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
  const { type, run, incarnation, items } = batch;
  if (type !== BatchType.DEFAULT && type !== BatchType.DRY_RUN) {
    yield {
      field: "batch.type",
      description: `expected type DEFAULT or DRY_RUN from an agent, found type ${type}`,
    };
  }
  if (type === BatchType.DRY_RUN && run === undefined) {
    yield { field: "batch.run", description: "expected a value in a batch of type DRY_RUN" };
  }
  for (const [index, { message }] of items.entries()) {
    const field = `batch.items[${index}]`;
    if (message.case === "verifyObject") {
      yield {
        field: `${field}.verify_object`,
        description: "expected put_object or delete_object in a batch of an agent",
      };
    }
    if (message.value?.ref?.resourceType !== undefined) {
      yield {
        field: `${field}.${toSnakeCase(message.case)}.ref.resource_type`,
        description: "expected no value; the batch's resource type applies",
      };
    }
  }
  for (const { rule, item = 0 } of findBatchViolations(epoch, batch)) {
    yield rule === "incarnation"
      ? {
          field: "batch.incarnation",
          description: `expected at most the session's epoch ${epoch}, found ${incarnation}`,
        }
      : {
          field: `batch.items[${item}].${toSnakeCase(items[item]?.message.case)}.observed_version`,
          description: "expected an observed version for all items of the batch, or for none",
        };
  }
}

function toSnakeCase(name = "message"): string {
  return name.replaceAll(/[A-Z]/g, (capital) => `_${capital.toLowerCase()}`);
}
