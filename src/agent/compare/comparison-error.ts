import { create } from "@bufbuild/protobuf";
import { type Failure, FailureSchema } from "../../../gen/proto/evenkeel/v1/failure_pb.ts";
import { reasonOf } from "../../kube/kube-error.ts";
import { TerminalError, toMessage } from "../../lib/errors.ts";

/** The comparison of a kind cannot be brought to its end. */
export class ComparisonError extends TerminalError {
  override readonly name = "ComparisonError";
  /** One word in CamelCase. */
  readonly reason: string;

  constructor(reason: string, message: string) {
    super(message);
    this.reason = reason;
  }
}

/** Why a comparison failed, for the backend. */
export function toComparisonFailure(error: unknown): Failure {
  return create(FailureSchema, { reason: reasonOf(error), message: toMessage(error).slice(0, 1_000) });
}
