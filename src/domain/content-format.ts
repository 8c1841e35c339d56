import { hash } from "node:crypto";
import { canonicalize } from "./canonical-json.ts";

/** Version of the canonical rules; increased by every change of them. */
const CANONICAL_RULES = 1;

/** Rules that produce the content of an object. */
export interface ContentRules {
  /** Paths of the fields that are removed, such as `metadata.managedFields`. */
  readonly stripped: readonly string[];
  /** Paths of the fields whose values are replaced. */
  readonly redacted: readonly string[];
  /** `apiVersion` in which the objects are read; unset if it does not change the content. */
  readonly apiVersion?: string;
  /** How objects are read, if that changes their content; unset: by lists, watches and single reads alike. */
  readonly reading?: "single";
}

/** The rules without redaction. */
export const DEFAULT_CONTENT_RULES: ContentRules = { stripped: ["metadata.managedFields"], redacted: [] };

/**
 * Returns the fingerprint of the rules: 16 hexadecimal digits, independent of the order of the paths. Content of
 * another format compares as different, so a changed setting or a new agent version converges.
 */
export function contentFormatFingerprint({
  stripped,
  redacted,
  apiVersion = "",
  reading,
}: ContentRules): string {
  const rules = {
    rules: CANONICAL_RULES,
    stripped: stripped.toSorted(),
    redacted: redacted.toSorted(),
    apiVersion,
    ...(reading === undefined ? {} : { reading }),
  };
  return hash("sha256", canonicalize(rules)).slice(0, 16);
}

/** Returns the SHA-256 of the bytes: 32 bytes. Synchronous, because a simulation must be repeatable. */
export function checksumOf(content: Uint8Array): Uint8Array {
  return hash("sha256", content, "buffer");
}

/** True if two checksums are equal. An empty checksum is unknown and equals nothing, not even another empty one. */
export function sameChecksum(a: Uint8Array, b: Uint8Array): boolean {
  return a.length !== 0 && Buffer.compare(a, b) === 0;
}
