import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { BatchType, BatchTypeSchema } from "../../gen/proto/evenkeel/v1/batch_pb.ts";
import { type Event, EventSchema } from "../../gen/proto/evenkeel/v1/event_pb.ts";
import type { OutgoingMessage } from "../bus/bus.ts";
import { assertDecodable } from "../domain/assert-decodable.ts";
import { assertValid } from "../domain/validation.ts";
import { TerminalError, toMessage } from "../lib/errors.ts";
import { expandBatch } from "./compression.ts";
import { type PackLimits, packBatch } from "./split-batch.ts";
import { splitEnds } from "./split-ends.ts";
import { splitScope } from "./split-scope.ts";
import { clusterKey } from "./topics.ts";

/** Sender of an event. The backend stamps it from the authenticated session. */
export interface EventIdentity {
  readonly account: string;
  readonly cluster: string;
  readonly clusterUid: string;
  readonly epoch: bigint;
}

/** Body of an event, and its position in the stream of its session. */
export interface EventContent {
  /** 0 for events that the backend creates. */
  readonly sequence: bigint;
  /** Time at which the backend publishes the event. */
  readonly publishTime: Date;
  /** W3C trace context; unset if the event is not traced. */
  readonly traceParent?: string;
  readonly body: Event["body"];
}

/** Encodes an event as one message of the bus. */
export function encodeEvent(identity: EventIdentity, content: EventContent): OutgoingMessage {
  return encodePart(identity, content, { part: 0, parts: 1 });
}

/**
 * Encodes an event as one or more messages. A batch is compressed if that saves bytes. A batch, a scope or the ends of
 * comparisons are split until each message is within the limit of the bus. The sequence is durable when all of its
 * messages are. An object that fits into no message is sent without its content and with the reason, so that its row is
 * quarantined.
 */
export function encodeEventInParts(
  identity: EventIdentity,
  content: EventContent,
  limits: PackLimits,
): OutgoingMessage[] {
  const bodies = toParts(content.body, limits);
  return bodies.map((body, part) =>
    encodePart(identity, { ...content, body }, { part, parts: bodies.length }),
  );
}

function toParts(body: Event["body"], limits: PackLimits): Event["body"][] {
  switch (body.case) {
    case "batch":
      return packBatch(body.value, limits);
    case "scopeDeclared":
      return splitScope(body.value, limits.maxMessageBytes);
    case "resourcesReconciled":
      return splitEnds(body.value, limits.maxMessageBytes);
    default:
      return [body];
  }
}

/**
 * Decodes a message of the bus and expands its batch. Believes nothing: all of it can come from a foreign producer. A
 * batch of an unknown type is left to the registry of batch types, which refuses it by name.
 *
 * @throws TerminalError if the payload is not an Event that the contract allows, or its key is not that of its cluster
 */
export function decodeEvent({ key, payload }: Pick<OutgoingMessage, "key" | "payload">): Event {
  try {
    assertDecodable(EventSchema, payload);
    const event = fromBinary(EventSchema, payload, { readUnknownFields: false });
    assertKey(key, event);
    if (event.body.case === "compressedBatch") {
      event.body = { case: "batch", value: expandBatch(event.body.value) };
    }
    assertContract(event);
    return event;
  } catch (cause) {
    const message = `not an evenkeel.v1.Event (${payload.byteLength} bytes): ${toMessage(cause)}`;
    throw new TerminalError(message.slice(0, MAX_MESSAGE_LENGTH), { cause });
  }
}

/** Longest text of an error about an event, in characters. It becomes a property of the dead letter. */
const MAX_MESSAGE_LENGTH = 1_024;

/** An event under the key of another cluster would be applied out of that cluster's order, or to another account. */
function assertKey(key: string, { account, cluster }: Event): void {
  if (key !== clusterKey(account, cluster)) {
    throw new TerminalError("its account and cluster are not those of the message's key");
  }
}

function assertContract(event: Event): void {
  const { body } = event;
  const hasUnknownType = body.case === "batch" && BatchTypeSchema.value[body.value.type] === undefined;
  assertValid(
    EventSchema,
    hasUnknownType
      ? { ...event, body: { case: "batch", value: { ...body.value, type: BatchType.DEFAULT } } }
      : event,
  );
}

function encodePart(
  identity: EventIdentity,
  { sequence, publishTime, traceParent = "", body }: EventContent,
  { part, parts }: { readonly part: number; readonly parts: number },
): OutgoingMessage {
  const envelope: MessageInitShape<typeof EventSchema> = {
    ...identity,
    sequence,
    publishTime: timestampFromDate(publishTime),
    traceParent,
    ...(parts > 1 && { part, parts }),
    body,
  };
  return {
    key: clusterKey(identity.account, identity.cluster),
    payload: toBinary(EventSchema, create(EventSchema, envelope)),
    // Not of an agent: a run whose request or answer is lost ends at its deadline, and a notice may be lost.
    ...(sequence === 0n && { isLosable: true }),
    properties: {
      account: identity.account,
      cluster: identity.cluster,
      epoch: String(identity.epoch),
      sequence: String(sequence),
      body: toFieldName(body.case ?? ""),
    },
  };
}

/** Returns the name of a body's field in the contract, such as "compressed_batch". */
function toFieldName(localName: string): string {
  return EventSchema.field[localName as keyof typeof EventSchema.field]?.name ?? "";
}
