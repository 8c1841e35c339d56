import type { ResourceType } from "../../gen/proto/evenkeel/v1/resource_pb.ts";
import { formatKey } from "../domain/object-key.ts";
import { resourceTypeKey } from "../domain/resource-type.ts";
import type { Log } from "../lib/log.ts";
import type { IngestStore, StreamPosition } from "../store/ingest-store.ts";
import type { IngesterMetrics } from "./metrics.ts";

export interface ScrubOptions {
  readonly store: IngestStore;
  readonly counted: IngesterMetrics;
  readonly log: Log;
  /** Rows of a resource type in each run; 0: none. */
  readonly maxRows: number;
}

/**
 * Recomputes the checksums of the next rows of a resource type: the rows whose bytes changed without the trigger lose
 * their checksums, and the run that follows repairs them.
 */
export type Scrub = (
  signal: AbortSignal,
  position: StreamPosition,
  resourceType: ResourceType,
) => Promise<void>;

/** Content of a resource type that one run reads at most, in bytes; one more object may follow. */
const MAX_BYTES = 16 * 1024 * 1024;

/** Keys of damaged rows in one log line. */
const MAX_LOGGED_KEYS = 5;

/** Creates the scrub of an ingester. It counts rows and logs damage. */
export function createScrub({ store, counted, log, maxRows }: ScrubOptions): Scrub {
  return async (signal, position, resourceType) => {
    const limits = { maxRows, maxBytes: MAX_BYTES };
    const { rows, damaged, failure } = await store.scrub(signal, position, resourceType, limits);
    counted.scrubbed(rows, damaged.length);
    const { account, cluster } = position;
    const of = { account, cluster, resourceType: resourceTypeKey(resourceType) };
    if (damaged.length > 0) {
      const keys = damaged.slice(0, MAX_LOGGED_KEYS).map(formatKey);
      log.error("damaged rows found", { ...of, rows: damaged.length, keys });
    }
    if (failure !== undefined) {
      counted.scrubFailed();
      log.error("row not readable", { ...of, reason: failure });
    }
  };
}
