import { create, toBinary } from "@bufbuild/protobuf";
import type { Event } from "../../gen/proto/evenkeel/v1/event_pb.ts";
import { type ScopeDeclared, ScopeDeclaredSchema } from "../../gen/proto/evenkeel/v1/scope_pb.ts";
import { TerminalError } from "../lib/errors.ts";
import { ENVELOPE_BYTES } from "./split-batch.ts";

/**
 * Splits a declaration into bodies of events that fit into the bus's messages: it halves the lists until each part
 * fits. The concatenation of the encoded parts is an encoding of the whole declaration, because Protobuf joins the
 * repeated fields of concatenated messages.
 *
 * @throws TerminalError if one element of each list is too large together
 */
export function splitScope(scope: ScopeDeclared, maxMessageBytes: number): Event["body"][] {
  const bytes = toBinary(ScopeDeclaredSchema, scope).byteLength;
  if (bytes + ENVELOPE_BYTES <= maxMessageBytes) {
    return [{ case: "scopeDeclared", value: scope }];
  }
  const length = Math.max(...LISTS.map((list) => scope[list].length));
  if (length <= 1) {
    throw new TerminalError(`scope: ${bytes} bytes of single names do not fit into a message of the bus`);
  }
  const middle = Math.ceil(length / 2);
  return [slice(scope, 0, middle), slice(scope, middle)].flatMap((half) => splitScope(half, maxMessageBytes));
}

const LISTS = ["namespaces", "resources", "removed", "undecided", "warnings"] as const;

function slice(scope: ScopeDeclared, start: number, end?: number): ScopeDeclared {
  const { generation, namespaces, resources, removed, undecided, warnings } = scope;
  return create(ScopeDeclaredSchema, {
    generation,
    namespaces: namespaces.slice(start, end),
    resources: resources.slice(start, end),
    removed: removed.slice(start, end),
    undecided: undecided.slice(start, end),
    warnings: warnings.slice(start, end),
  });
}
