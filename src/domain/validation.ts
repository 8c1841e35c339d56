import type { DescMessage, MessageShape } from "@bufbuild/protobuf";
import { pathToString } from "@bufbuild/protobuf/reflect";
import { createValidator, type Violation } from "@bufbuild/protovalidate";
import { type FieldViolation, InvalidArgumentError } from "../lib/errors.ts";

/** Compiled patterns of the contract. */
const patterns = new Map<string, RegExp>();

// One of each per process, because a validator caches the compiled rules of every message type.
const firstViolation = createValidator({ regexMatch, failFast: true });
const allViolations = createValidator({ regexMatch });

/** Highest weight of a message whose violations are all named. It can have one violation per field. */
const MAX_WEIGHT = 64 * 1024;
/** Weight of an object, even an empty one, in bytes. */
const OBJECT_WEIGHT = 64;

/**
 * Validates a message by the rules in its .proto (`buf.validate`).
 *
 * @throws InvalidArgumentError that names every field that violates a rule, and the expected value. For a message of
 * 64 KiB or more, or with thousands of fields, it names only the first, so that a refusal costs no more than a read.
 */
export function assertValid<Desc extends DescMessage>(schema: Desc, message: MessageShape<Desc>): void {
  const first = firstViolation.validate(schema, message);
  const isSmall = first.kind === "invalid" && remainingWeight(message, MAX_WEIGHT) > 0;
  const result = isSmall ? allViolations.validate(schema, message) : first;
  switch (result.kind) {
    case "valid":
      return;
    case "invalid":
      throw new InvalidArgumentError(result.violations.map(toFieldViolation), { cause: result.error });
    case "error":
      // A rule that does not compile or run is a defect of the contract, not of the message.
      throw result.error;
    default:
      result satisfies never;
  }
}

/** Returns the part of `weight` that remains after a value. Stops when none remains. */
function remainingWeight(value: unknown, weight: number): number {
  if (typeof value === "string" || value instanceof Uint8Array) {
    return weight - value.length;
  }
  if (typeof value !== "object" || value === null) {
    return weight;
  }
  let remaining = weight - OBJECT_WEIGHT;
  for (const key in value) {
    if (remaining <= 0) {
      break;
    }
    remaining = remainingWeight((value as Record<string, unknown>)[key], remaining);
  }
  return remaining;
}

function toFieldViolation({ field, message, ruleId }: Violation): FieldViolation {
  return {
    field: pathToString(field),
    description: message === "" ? `violates the rule ${ruleId}` : message,
  };
}

/**
 * Matches with the platform's engine, because an RE2 in JavaScript would take more time than all other rules of a
 * batch. Unlike RE2 it can backtrack, so a text must match a pattern of the contract in at most one way.
 */
function regexMatch(pattern: string, text: string): boolean {
  const compiled = patterns.get(pattern) ?? new RegExp(pattern, "u");
  patterns.set(pattern, compiled);
  return compiled.test(text);
}

/** Returns the first rule of the .proto that a message violates, as "field: expectation"; undefined for none. */
export function findViolation<Desc extends DescMessage>(
  schema: Desc,
  message: MessageShape<Desc>,
): string | undefined {
  const result = firstViolation.validate(schema, message);
  return result.kind === "valid" ? undefined : toText(result.error, result.violations?.map(toFieldViolation));
}

function toText(error: Error, violations: readonly FieldViolation[] | undefined): string {
  return violations === undefined || violations.length === 0
    ? error.message
    : new InvalidArgumentError(violations).message;
}
