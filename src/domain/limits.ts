/** Limits that several parts must share. A test compares the limits of the contract with its descriptor. */

/** Largest PutObject.content, in bytes: 4 MiB less 64 KiB, so that default gRPC clients accept a message with it. */
export const MAX_CONTENT_BYTES = 4 * 1024 * 1024 - 64 * 1024;

/** Longest PutObject.quarantine_reason, in characters. */
export const MAX_REASON_LENGTH = 1024;

/** Largest number of items in a notice of refused items. */
export const MAX_NOTICE_ITEMS = 100;

/** Largest number of ends of comparisons in a message. */
export const MAX_ENDS = 100;

/** Longest name of an object, in bytes. */
export const MAX_NAME_BYTES = 1024;

/** Longest name of a resource type's discovery (kind, singular, short names, categories, verbs), in characters. */
export const MAX_DISCOVERY_NAME_LENGTH = 63;

/** Largest number of short names, categories and verbs of a resource type, each. */
export const MAX_DISCOVERY_NAMES = 64;

/** Largest number of resource types in a scope, and of those that leave it with one declaration. */
export const MAX_SCOPE_RESOURCES = 5_000;

/** Largest number of namespaces that a scope names. */
export const MAX_SCOPE_NAMESPACES = 5_000;

/**
 * Largest number of pairs of a namespaced resource type and a namespace in a scope. The agent lists and watches each
 * pair, and the state of each resource type holds its namespaces.
 */
export const MAX_SCOPE_PAIRS = 250_000;

/** Largest SyncRequest, in bytes: the largest object, its names and a reserve. */
export const MAX_SYNC_REQUEST_BYTES = 6 * 1024 * 1024;

/** Rows of a resource type whose checksums a run recomputes by default: 144,000 a day with a run every 10 minutes. */
export const DEFAULT_SCRUB_ROWS = 1_000;

/**
 * Rows in one chunk of an inventory: about 70 KB of Protobuf. With the longest names it still fits into any bus's
 * messages.
 */
export const INVENTORY_CHUNK_ROWS = 500;

/**
 * True if a text can name an account: 1 to 253 characters, as in the contract. Control characters and halves of
 * surrogate pairs are invalid, because Postgres cannot hold all of them.
 */
export function isAccountName(text: string): boolean {
  return /^[^\p{Cc}\p{Cs}]{1,253}$/u.test(text);
}

/** True if a text can name a cluster: a DNS subdomain of at most 253 characters, as in the contract. */
export function isClusterName(text: string): boolean {
  return text.length <= 253 && /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/.test(text);
}
