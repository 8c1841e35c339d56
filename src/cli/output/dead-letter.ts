import { create, type JsonValue, toJson } from "@bufbuild/protobuf";
import { type Timestamp, timestampDate } from "@bufbuild/protobuf/wkt";
import { BatchItemSchema, BatchSchema } from "../../../gen/proto/evenkeel/v1/batch_pb.ts";
import { type Event, EventSchema } from "../../../gen/proto/evenkeel/v1/event_pb.ts";
import type { OutgoingMessage } from "../../bus/bus.ts";
import { resourceTypeKey } from "../../domain/resource-type.ts";
import { decodeEvent } from "../../event/codec.ts";
import type { StoredDeadLetter } from "../../event/dead-letter.ts";
import { parseClusterKey } from "../../event/topics.ts";
import { TerminalError } from "../../lib/errors.ts";

/** A dead letter as a document, with its event; without contents of objects. */
export interface LetterDocument {
  readonly id: string;
  readonly reason: string;
  readonly sourcePosition: string;
  readonly redeliveryCount: number;
  readonly key: string;
  readonly bytes: number;
  /** In Protobuf's JSON mapping. */
  readonly event?: JsonValue;
  /** Why there is no event. */
  readonly undecodable?: string;
  /** Contents of the event's objects, in canonical JSON. Only on request. */
  readonly contents?: readonly ObjectContent[];
  /** The payload that cannot be decoded, in base64. Only on request. */
  readonly payload?: string;
}

interface ObjectContent {
  readonly namespace: string;
  readonly name: string;
  readonly content: string;
}

/** Stands for an event whose payload was not kept. */
const OMITTED = "payload not kept";

/** Converts a dead letter to a document; with contents only on request, because they may be secret. */
export function toLetterDocument(letter: StoredDeadLetter, withContents: boolean): LetterDocument {
  const { id, reason, sourcePosition, redeliveryCount, omittedBytes } = letter;
  const { key, payload } = letter.message;
  const bytes = omittedBytes ?? payload.byteLength;
  const known = { id, reason, sourcePosition, redeliveryCount, key, bytes };
  if (omittedBytes !== undefined) {
    return { ...known, undecodable: OMITTED };
  }
  const event = tryDecode(letter.message);
  if (event instanceof TerminalError) {
    return {
      ...known,
      undecodable: event.message,
      ...(withContents && { payload: Buffer.from(payload).toString("base64") }),
    };
  }
  return {
    ...known,
    event: toJson(EventSchema, withoutContents(event)),
    ...(withContents && { contents: toContents(event) }),
  };
}

function withoutContents(event: Event): Event {
  if (event.body.case !== "batch") {
    return event;
  }
  const items = event.body.value.items.map((item) =>
    item.message.case === "putObject"
      ? create(BatchItemSchema, {
          message: { case: "putObject", value: { ...item.message.value, content: new Uint8Array() } },
        })
      : item,
  );
  return create(EventSchema, {
    ...event,
    body: { case: "batch", value: create(BatchSchema, { ...event.body.value, items }) },
  });
}

function toContents({ body }: Event): ObjectContent[] {
  const items = body.case === "batch" ? body.value.items : [];
  return items.flatMap(({ message }) => {
    if (message.case !== "putObject") {
      return [];
    }
    const { ref, content } = message.value;
    const text = new TextDecoder().decode(content);
    return [{ namespace: ref?.namespace ?? "", name: ref?.name ?? "", content: text }];
  });
}

/** A dead letter in one line. */
export interface LetterSummary {
  readonly id: string;
  /** Time of its publication by the backend; undefined if it is not an Event. */
  readonly time: Timestamp | undefined;
  readonly account: string;
  readonly cluster: string;
  /** Summary of the event, such as "3 deployments.apps". */
  readonly body: string;
  readonly reason: string;
  /** Deliveries before the one that failed. */
  readonly redeliveries: number;
  readonly bytes: number;
}

/**
 * Summarizes a dead letter. Its cluster is that of the key, whose messages it was among; the properties may state any
 * other one.
 */
export function toLetterSummary(letter: StoredDeadLetter): LetterSummary {
  const { id, message, reason, redeliveryCount, omittedBytes } = letter;
  const decoded = tryDecode(message);
  const event = decoded instanceof TerminalError ? undefined : decoded;
  const { account, cluster } = parseClusterKey(message.key) ?? { account: "", cluster: "" };
  const undecoded = omittedBytes === undefined ? "not an Event" : OMITTED;
  return {
    id,
    time: event?.publishTime,
    account,
    cluster,
    body: event === undefined ? undecoded : describeBody(event.body),
    reason,
    redeliveries: redeliveryCount,
    bytes: omittedBytes ?? message.payload.byteLength,
  };
}

/** Converts a summary to JSON. */
export function toLetterJson({ time, ...summary }: LetterSummary) {
  return { ...summary, ...(time !== undefined && { time: timestampDate(time).toISOString() }) };
}

/** Returns the event, or the error if the payload is not one. */
function tryDecode(message: OutgoingMessage): Event | TerminalError {
  try {
    return decodeEvent(message);
  } catch (error) {
    if (error instanceof TerminalError) {
      return error;
    }
    throw error;
  }
}

function describeBody({ case: name, value }: Event["body"]): string {
  return name === "batch"
    ? `${value.items.length} ${resourceTypeKey(value.resourceType)}`
    : (name ?? "nothing");
}
