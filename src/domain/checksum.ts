import { hash } from "node:crypto";

/** Returns the SHA-256 of the bytes: 32 bytes. Synchronous, because a simulation must be repeatable. */
export function checksumOf(content: Uint8Array): Uint8Array {
  return hash("sha256", content, "buffer");
}

/** True if two checksums are equal. An empty checksum is unknown and equals nothing, not even another empty one. */
export function sameChecksum(a: Uint8Array, b: Uint8Array): boolean {
  return a.length !== 0 && Buffer.compare(a, b) === 0;
}
