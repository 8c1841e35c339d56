import type { Event } from "../../gen/proto/evenkeel/v1/event_pb.ts";
import type { StreamPosition } from "../store/ingest-store.ts";

/** Where the event stands, as the backend stamped it. */
export function toPosition({ account, cluster, epoch, sequence, part, parts }: Event): StreamPosition {
  return { account, cluster, epoch, sequence, ...(parts > 1 && { part: { index: part, count: parts } }) };
}
