/** Identity and version of an object, as the agent remembers it. */
export interface PackedObject {
  readonly uid: string;
  /** The object's own resourceVersion. */
  readonly resourceVersion: string;
  /** Checksum of the content; undefined if only the metadata is known. */
  readonly checksum: Uint8Array | undefined;
}

/** Address of a record in its {@link PackedRecords}. */
export type Address = number;

const MIN_SLAB_BYTES = 4 * 1024;
/**
 * Slabs double up to this size: a small resource type takes little memory, and a large one grows without
 * copies.
 */
const MAX_SLAB_BYTES = 512 * 1024;

const CHECKSUM_BYTES = 32;
const UUID_BYTES = 16;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

const FLAG_UUID = 1;
const FLAG_CHECKSUM = 2;
const FLAGS_BYTES = 1;

/** Where the parts of a record are in its slab. */
interface Layout {
  readonly uid: number;
  readonly uidEnd: number;
  readonly version: number;
  readonly checksum: number;
  readonly end: number;
  readonly flags: number;
}

/**
 * Records of objects in a few large buffers: 100 bytes each, instead of 1,000 as plain JavaScript objects.
 *
 * Layout of a record: the key, flags (1 byte), the uid (16 bytes if it is a UUID), the version, the checksum.
 * Key, uid and version follow their lengths, which are varints, so that each may have any length. Records are
 * only added. A dropped record leaves a hole until its owner copies the remaining ones.
 */
export class PackedRecords {
  readonly #slabs: Buffer[] = [];
  #used = 0;
  #bytes = 0;

  /** Bytes of all records ever added, including dropped ones. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Adds a record. The key is UTF-8. */
  add(key: Uint8Array, object: PackedObject): Address {
    const size = sizeOf(key, object);
    const slab = this.#slabWithRoom(size);
    const offset = this.#used;
    write(slab, offset, key, object);
    this.#used += size;
    this.#bytes += size;
    return (this.#slabs.length - 1) * MAX_SLAB_BYTES + offset;
  }

  /** Overwrites a record if the new one has the same size. Returns true if it did. */
  replace(address: Address, key: Uint8Array, object: PackedObject): boolean {
    if (this.sizeAt(address) !== sizeOf(key, object)) {
      return false;
    }
    write(this.#slabAt(address), address % MAX_SLAB_BYTES, key, object);
    return true;
  }

  /** Returns the key in UTF-8, as a view that is valid until the record is dropped. */
  keyBytes(address: Address): Uint8Array {
    const slab = this.#slabAt(address);
    const at = address % MAX_SLAB_BYTES;
    const length = readVarint(slab, at);
    const start = at + varintBytes(length);
    return slab.subarray(start, start + length);
  }

  key(address: Address): string {
    const slab = this.#slabAt(address);
    const at = address % MAX_SLAB_BYTES;
    const length = readVarint(slab, at);
    const start = at + varintBytes(length);
    return slab.toString("utf8", start, start + length);
  }

  get(address: Address): PackedObject {
    const slab = this.#slabAt(address);
    const { uid, uidEnd, version, checksum, end, flags } = layoutAt(slab, address % MAX_SLAB_BYTES);
    return {
      uid: flags & FLAG_UUID ? readUuid(slab, uid) : slab.toString("utf8", uid, uidEnd),
      resourceVersion: slab.toString("utf8", version, checksum),
      checksum: flags & FLAG_CHECKSUM ? new Uint8Array(slab.subarray(checksum, end)) : undefined,
    };
  }

  sizeAt(address: Address): number {
    const at = address % MAX_SLAB_BYTES;
    return layoutAt(this.#slabAt(address), at).end - at;
  }

  #slabAt(address: Address): Buffer {
    return this.#slabs[Math.floor(address / MAX_SLAB_BYTES)] as Buffer;
  }

  #slabWithRoom(size: number): Buffer {
    const last = this.#slabs.at(-1);
    if (last !== undefined && this.#used + size <= last.length) {
      return last;
    }
    // A record above the largest size gets a slab of its own.
    const doubled = Math.min(MAX_SLAB_BYTES, MIN_SLAB_BYTES * 2 ** Math.min(this.#slabs.length, 7));
    const slab = Buffer.allocUnsafeSlow(Math.max(doubled, size));
    this.#slabs.push(slab);
    this.#used = 0;
    return slab;
  }
}

function layoutAt(slab: Buffer, start: number): Layout {
  const keyLength = readVarint(slab, start);
  const flagsAt = start + varintBytes(keyLength) + keyLength;
  const flags = slab[flagsAt] as number;
  const uidLength = readVarint(slab, flagsAt + FLAGS_BYTES);
  const uid = flagsAt + FLAGS_BYTES + varintBytes(uidLength);
  const uidEnd = uid + uidLength;
  const versionLength = readVarint(slab, uidEnd);
  const version = uidEnd + varintBytes(versionLength);
  const checksum = version + versionLength;
  const end = checksum + (flags & FLAG_CHECKSUM ? CHECKSUM_BYTES : 0);
  return { uid, uidEnd, version, checksum, end, flags };
}

function sizeOf(key: Uint8Array, { uid, resourceVersion, checksum }: PackedObject): number {
  return (
    varintBytes(key.length) +
    key.length +
    FLAGS_BYTES +
    sizeOfText(UUID.test(uid) ? UUID_BYTES : Buffer.byteLength(uid)) +
    sizeOfText(Buffer.byteLength(resourceVersion)) +
    (checksum === undefined ? 0 : CHECKSUM_BYTES)
  );
}

function sizeOfText(length: number): number {
  return varintBytes(length) + length;
}

function write(
  slab: Buffer,
  start: number,
  key: Uint8Array,
  { uid, resourceVersion, checksum }: PackedObject,
): void {
  const isUuid = UUID.test(uid);
  let at = writeVarint(slab, start, key.length);
  slab.set(key, at);
  at += key.length;
  slab[at++] = (isUuid ? FLAG_UUID : 0) | (checksum === undefined ? 0 : FLAG_CHECKSUM);
  at = writeVarint(slab, at, isUuid ? UUID_BYTES : Buffer.byteLength(uid));
  at += isUuid ? slab.write(uid.replaceAll("-", ""), at, "hex") : slab.write(uid, at, "utf8");
  at = writeVarint(slab, at, Buffer.byteLength(resourceVersion));
  at += slab.write(resourceVersion, at, "utf8");
  if (checksum !== undefined) {
    slab.set(checksum, at);
  }
}

/** Returns the bytes of a varint: 7 bits in each byte, the lowest first, the high bit set in all but the last. */
function varintBytes(value: number): number {
  return value < 0x80 ? 1 : 1 + varintBytes(Math.floor(value / 0x80));
}

/** Writes a varint, and returns the offset behind it. */
function writeVarint(slab: Buffer, start: number, value: number): number {
  let at = start;
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) {
    slab[at++] = (rest % 0x80) | 0x80;
  }
  slab[at++] = rest;
  return at;
}

function readVarint(slab: Buffer, at: number): number {
  const byte = slab[at] as number;
  return byte < 0x80 ? byte : byte - 0x80 + 0x80 * readVarint(slab, at + 1);
}

function readUuid(slab: Buffer, at: number): string {
  const hex = slab.toString("hex", at, at + UUID_BYTES);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}
