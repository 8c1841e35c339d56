import type { ConnectRouter } from "@connectrpc/connect";
import { compressionBrotli, compressionGzip } from "@connectrpc/connect-node";
import { MAX_SYNC_REQUEST_BYTES } from "../../domain/limits.ts";

type ServiceLimits = NonNullable<Parameters<ConnectRouter["service"]>[2]>;

/** What a service reads of one message unless it says otherwise: enough for any question, decompressed. */
export const QUESTION_LIMITS: ServiceLimits = {
  readMaxBytes: 64 * 1024,
  acceptCompression: [compressionGzip, compressionBrotli],
};

/** For probes, whose callers nobody authenticates: they send a name. */
export const HEALTH_LIMITS: ServiceLimits = { readMaxBytes: 1024, acceptCompression: [] };

/**
 * For agents, whose batches hold objects of 4 MiB. They do not compress: a compressed batch would be small on the wire
 * and large in the process.
 */
export const SYNC_LIMITS: ServiceLimits = { readMaxBytes: MAX_SYNC_REQUEST_BYTES, acceptCompression: [] };
