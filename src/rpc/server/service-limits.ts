import type { ConnectRouter } from "@connectrpc/connect";
import { compressionBrotli, compressionGzip } from "@connectrpc/connect-node";
import { MAX_SYNC_REQUEST_BYTES } from "../../domain/limits.ts";

type ServiceLimits = NonNullable<Parameters<ConnectRouter["service"]>[2]> & { readonly readMaxBytes: number };

/**
 * Default limits of a service, for decompressed messages. Sufficient for all queries. An unknown field of a request in
 * JSON is an error that names it: a misspelled filter would select everything. Binary requests may have unknown fields,
 * because those of newer clients do.
 */
export const QUESTION_LIMITS: ServiceLimits = {
  readMaxBytes: 64 * 1024,
  acceptCompression: [compressionGzip, compressionBrotli],
  jsonOptions: { ignoreUnknownFields: false },
};

/** Limits for probes. Their callers are not authenticated, and their only content is a name. */
export const HEALTH_LIMITS: ServiceLimits = { readMaxBytes: 1024, acceptCompression: [] };

/**
 * Limits for agents, whose batches contain objects of up to 4 MiB. No compression: a compressed batch would be small on
 * the wire and large in memory.
 */
export const SYNC_LIMITS: ServiceLimits = {
  readMaxBytes: MAX_SYNC_REQUEST_BYTES,
  acceptCompression: [],
  jsonOptions: { ignoreUnknownFields: true },
};
