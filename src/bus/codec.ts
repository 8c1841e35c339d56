import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { type Event, EventSchema } from "../../gen/proto/evenkeel/v1/event_pb.ts";
import { TerminalError } from "../lib/errors.ts";
import type { OutgoingMessage } from "./bus.ts";
import { clusterKey } from "./topics.ts";

/** Who says something, as the backend stamps it from the authenticated session. */
export interface EventIdentity {
  readonly account: string;
  readonly cluster: string;
  readonly clusterUid: string;
  readonly epoch: bigint;
}

/** Puts a body into its envelope, and that into a message of the bus. */
export function encodeEvent(
  identity: EventIdentity,
  sequence: bigint,
  time: Date,
  body: Event["body"],
): OutgoingMessage {
  const event = create(EventSchema, { ...identity, sequence, time: timestampFromDate(time), body });
  return {
    key: clusterKey(identity.account, identity.cluster),
    payload: toBinary(EventSchema, event),
    properties: {
      account: identity.account,
      cluster: identity.cluster,
      epoch: String(identity.epoch),
      sequence: String(sequence),
      body: body.case ?? "",
    },
  };
}

/** Reads a message of the bus. Throws `TerminalError` when it is not an Event. */
export function decodeEvent(payload: Uint8Array): Event {
  try {
    return fromBinary(EventSchema, payload);
  } catch (cause) {
    throw new TerminalError(`not an evenkeel.v1.Event (${payload.byteLength} bytes)`, { cause });
  }
}
