import type { Event } from "../../gen/proto/evenkeel/v1/event_pb.ts";
import type { StreamPosition } from "../store/ingest-store.ts";

/** Where the event stands, as the backend stamped it. */
export function toPosition({ account, cluster, epoch, sequence }: Event): StreamPosition {
  return { account, cluster, epoch, sequence };
}
