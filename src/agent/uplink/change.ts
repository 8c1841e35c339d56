import type { BatchItem } from "../../../gen/proto/evenkeel/v1/batch_pb.ts";
import type { ResourceType } from "../../../gen/proto/evenkeel/v1/resource_pb.ts";

/** One observation for the backend: a PutObject or DeleteObject with its observed version. */
export interface Change {
  readonly resourceType: ResourceType;
  /** Incarnation of the resource type at the observation; undefined before the agent knows it. */
  readonly incarnation: bigint | undefined;
  readonly item: BatchItem;
  /** W3C trace context of the watch event; empty if it is not traced. */
  readonly traceParent: string;
}

/** Receiver of observations. */
export interface ChangeSink {
  /** Adds a change. Waits while too many bytes are pending, which pauses the watch. */
  offer(signal: AbortSignal, change: Change): Promise<void>;
}
