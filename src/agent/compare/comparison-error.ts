import { create } from "@bufbuild/protobuf";
import { type Failure, FailureSchema } from "../../../gen/proto/evenkeel/v1/failure_pb.ts";
import { reasonOf } from "../../kube/kube-error.ts";
import { TerminalError, toMessage } from "../../lib/errors.ts";

/** Failure of the comparison of a resource type. */
export class ComparisonError extends TerminalError {
  override readonly name = "ComparisonError";
  /** Reason in CamelCase, for programs. */
  readonly reason: string;

  constructor(reason: string, message: string) {
    super(message);
    this.reason = reason;
  }
}

/** Converts an error to the failure that the agent sends to the backend. */
export function toComparisonFailure(error: unknown): Failure {
  return create(FailureSchema, { reason: reasonOf(error), message: toMessage(error).slice(0, 1_000) });
}
