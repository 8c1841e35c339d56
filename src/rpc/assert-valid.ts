import type { DescMessage, MessageShape } from "@bufbuild/protobuf";
import { pathToString } from "@bufbuild/protobuf/reflect";
import { createValidator, type Violation } from "@bufbuild/protovalidate";
import { type FieldViolation, InvalidArgumentError } from "../lib/errors.ts";

/** Patterns of the contract, compiled. */
const patterns = new Map<string, RegExp>();

// One for the process, because it keeps the rules of every message type compiled.
const validator = createValidator({ regexMatch });

/**
 * Checks a message against the rules in its .proto (`buf.validate`).
 *
 * @throws InvalidArgumentError that names every field that breaks a rule, and what was expected of it.
 */
export function assertValid<Desc extends DescMessage>(schema: Desc, message: MessageShape<Desc>): void {
  const result = validator.validate(schema, message);
  switch (result.kind) {
    case "valid":
      return;
    case "invalid":
      throw new InvalidArgumentError(result.violations.map(toFieldViolation), { cause: result.error });
    case "error":
      // A rule that does not compile or run: a defect of ours, never the sender's.
      throw result.error;
    default:
      result satisfies never;
  }
}

function toFieldViolation({ field, message, ruleId }: Violation): FieldViolation {
  return { field: pathToString(field), description: message === "" ? `breaks the rule ${ruleId}` : message };
}

/**
 * The platform's engine, since an RE2 in JavaScript would take more time than all other rules of a batch. It may
 * backtrack where RE2 does not, so the contract's patterns have to be such that no text can match in two ways.
 */
function regexMatch(pattern: string, text: string): boolean {
  const compiled = patterns.get(pattern) ?? new RegExp(pattern, "u");
  patterns.set(pattern, compiled);
  return compiled.test(text);
}
