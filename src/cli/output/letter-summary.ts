import { type Timestamp, timestampDate } from "@bufbuild/protobuf/wkt";
import type { Event } from "../../../gen/proto/evenkeel/v1/event_pb.ts";
import { formatKindName } from "../../domain/format-kind-name.ts";
import { decodeEvent } from "../../event/codec.ts";
import type { KeptLetter } from "../../event/dead-letter-queue.ts";
import { TerminalError } from "../../lib/errors.ts";

/** A dead letter in a line. */
export interface LetterSummary {
  readonly id: string;
  /** When the backend put it on the bus; undefined when it is not an Event. */
  readonly time: Timestamp | undefined;
  readonly account: string;
  readonly cluster: string;
  /** What it says, such as "3 deployments.apps". */
  readonly body: string;
  readonly reason: string;
  /** Deliveries before the one that failed. */
  readonly redeliveries: number;
  readonly bytes: number;
}

/** Sums a letter up. What cannot be decoded is known by its properties only. */
export function toLetterSummary({ id, message, reason, redeliveryCount }: KeptLetter): LetterSummary {
  const { payload, properties = {} } = message;
  const event = tryDecode(payload);
  const { account = "", cluster = "" } = event ?? properties;
  return {
    id,
    time: event?.time,
    account,
    cluster,
    body: event === undefined ? "not an Event" : describeBody(event.body),
    reason,
    redeliveries: redeliveryCount,
    bytes: payload.byteLength,
  };
}

/** A summary as programs read it. */
export function toLetterJson({ time, ...summary }: LetterSummary) {
  return { ...summary, ...(time !== undefined && { time: timestampDate(time).toISOString() }) };
}

function tryDecode(payload: Uint8Array): Event | undefined {
  try {
    return decodeEvent(payload);
  } catch (error) {
    if (error instanceof TerminalError) {
      return undefined;
    }
    throw error;
  }
}

function describeBody({ case: name, value }: Event["body"]): string {
  return name === "batch" ? `${value.items.length} ${formatKindName(value.kind)}` : (name ?? "nothing");
}
