import type { DescMessage, Message, MessageShape } from "@bufbuild/protobuf";
import { pathToString } from "@bufbuild/protobuf/reflect";
import { createValidator, type Violation } from "@bufbuild/protovalidate";
import type { Interceptor } from "@connectrpc/connect";
import { type FieldViolation, InvalidArgumentError } from "../../lib/errors.ts";

/** Patterns of the contract, compiled. */
const patterns = new Map<string, RegExp>();

// One of each for the process, because it keeps the rules of every message type compiled.
const firstViolation = createValidator({ regexMatch, failFast: true });
const allViolations = createValidator({ regexMatch });

/** Weight of a message of which all violations are named: each may have as many as it has fields. */
const MAX_WEIGHT = 64 * 1024;
/** Weight of an object, even an empty one, in bytes. */
const OBJECT_WEIGHT = 64;

/**
 * Checks a message against the rules in its .proto (`buf.validate`).
 *
 * @throws InvalidArgumentError that names every field that breaks a rule, and what was expected of it; of a message of
 * 64 KiB or more, and of one with thousands of fields, only the first, so that a refusal costs no more than a read.
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
      // A rule that does not compile or run: a defect of ours, never the sender's.
      throw result.error;
    default:
      result satisfies never;
  }
}

/** The part of `weight` that a value leaves over; stops when there is none. */
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

/**
 * Checks every request message against the rules in its .proto before the handler sees it, and each message of a
 * client stream as it comes: those before an invalid one have been handed on by then.
 */
export function createValidationInterceptor(): Interceptor {
  return (next) => (request) => {
    const schema: DescMessage = request.method.input;
    if (request.stream) {
      return next({ ...request, message: validateEach(schema, request.message) });
    }
    assertValid(schema, request.message);
    return next(request);
  };
}

async function* validateEach<T extends Message>(schema: DescMessage, messages: AsyncIterable<T>) {
  for await (const message of messages) {
    assertValid(schema, message);
    yield message;
  }
}
