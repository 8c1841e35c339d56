import type { BatchItem } from "../../../gen/proto/evenkeel/v1/batch_pb.ts";
import type { ResourceType } from "../../../gen/proto/evenkeel/v1/resource_pb.ts";

/** One observation on its way to the backend: a PutObject or DeleteObject with its observed version. */
export interface Change {
  readonly resourceType: ResourceType;
  /** Incarnation of the kind's versions when it was observed; undefined before the agent knows it. */
  readonly incarnation: bigint | undefined;
  readonly item: BatchItem;
  /** W3C trace context of the watch event; empty when it is not traced. */
  readonly traceParent: string;
}

/** Takes observations. */
export interface ChangeSink {
  /** Takes a change; waits while too much is pending, so that the watch waits too. */
  offer(signal: AbortSignal, change: Change): Promise<void>;
}
