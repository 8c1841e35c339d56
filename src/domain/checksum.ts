import { hash } from "node:crypto";

/** SHA-256 of the bytes: 32 bytes. Synchronous, so that a simulation stays repeatable. */
export function checksumOf(content: Uint8Array): Uint8Array {
  return hash("sha256", content, "buffer");
}

/**
 * Whether two checksums are the same. An empty one equals nothing, not even another empty one: it is unknown.
 */
export function sameChecksum(a: Uint8Array, b: Uint8Array): boolean {
  return a.length !== 0 && Buffer.compare(a, b) === 0;
}
