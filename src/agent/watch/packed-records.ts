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

const HEADER_BYTES = 5;
const CHECKSUM_BYTES = 32;
const UUID_BYTES = 16;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

const FLAG_UUID = 1;
const FLAG_CHECKSUM = 2;

/**
 * Records of objects in a few large buffers: 100 bytes each, instead of 1,000 as plain JavaScript objects.
 *
 * Layout of a record: length of the key (2 bytes), of the uid and of the version, flags (1 byte each), then
 * key, uid (16 bytes if it is a UUID), version, checksum. Records are only added. A dropped record leaves a
 * hole until its owner copies the remaining ones.
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
    const start = (address % MAX_SLAB_BYTES) + HEADER_BYTES;
    return slab.subarray(start, start + slab.readUInt16LE(start - HEADER_BYTES));
  }

  key(address: Address): string {
    const slab = this.#slabAt(address);
    const start = (address % MAX_SLAB_BYTES) + HEADER_BYTES;
    return slab.toString("utf8", start, start + slab.readUInt16LE(start - HEADER_BYTES));
  }

  get(address: Address): PackedObject {
    const slab = this.#slabAt(address);
    const start = address % MAX_SLAB_BYTES;
    const uidAt = start + HEADER_BYTES + slab.readUInt16LE(start);
    const versionAt = uidAt + slab.readUInt8(start + 2);
    const checksumAt = versionAt + slab.readUInt8(start + 3);
    const flags = slab.readUInt8(start + 4);
    return {
      uid: flags & FLAG_UUID ? readUuid(slab, uidAt) : slab.toString("utf8", uidAt, versionAt),
      resourceVersion: slab.toString("latin1", versionAt, checksumAt),
      checksum:
        flags & FLAG_CHECKSUM
          ? new Uint8Array(slab.subarray(checksumAt, checksumAt + CHECKSUM_BYTES))
          : undefined,
    };
  }

  sizeAt(address: Address): number {
    const slab = this.#slabAt(address);
    const start = address % MAX_SLAB_BYTES;
    const checksum = slab.readUInt8(start + 4) & FLAG_CHECKSUM ? CHECKSUM_BYTES : 0;
    return (
      HEADER_BYTES +
      slab.readUInt16LE(start) +
      slab.readUInt8(start + 2) +
      slab.readUInt8(start + 3) +
      checksum
    );
  }

  #slabAt(address: Address): Buffer {
    return this.#slabs[Math.floor(address / MAX_SLAB_BYTES)] as Buffer;
  }

  #slabWithRoom(size: number): Buffer {
    const last = this.#slabs.at(-1);
    if (last !== undefined && this.#used + size <= last.length) {
      return last;
    }
    if (size > MAX_SLAB_BYTES) {
      throw new RangeError(`record: expected at most ${MAX_SLAB_BYTES} bytes, found ${size}`);
    }
    const doubled = Math.min(MAX_SLAB_BYTES, MIN_SLAB_BYTES * 2 ** Math.min(this.#slabs.length, 7));
    const slab = Buffer.allocUnsafeSlow(Math.max(doubled, size));
    this.#slabs.push(slab);
    this.#used = 0;
    return slab;
  }
}

function sizeOf(key: Uint8Array, { uid, resourceVersion, checksum }: PackedObject): number {
  return (
    HEADER_BYTES +
    key.length +
    (UUID.test(uid) ? UUID_BYTES : Buffer.byteLength(uid)) +
    resourceVersion.length +
    (checksum === undefined ? 0 : CHECKSUM_BYTES)
  );
}

function write(
  slab: Buffer,
  start: number,
  key: Uint8Array,
  { uid, resourceVersion, checksum }: PackedObject,
): void {
  const isUuid = UUID.test(uid);
  let at = start + HEADER_BYTES;
  slab.set(key, at);
  at += key.length;
  const uidLength = isUuid ? slab.write(uid.replaceAll("-", ""), at, "hex") : slab.write(uid, at, "utf8");
  at += uidLength;
  at += slab.write(resourceVersion, at, "latin1");
  if (checksum !== undefined) {
    slab.set(checksum, at);
  }
  slab.writeUInt16LE(key.length, start);
  slab.writeUInt8(uidLength, start + 2);
  slab.writeUInt8(resourceVersion.length, start + 3);
  slab.writeUInt8((isUuid ? FLAG_UUID : 0) | (checksum === undefined ? 0 : FLAG_CHECKSUM), start + 4);
}

function readUuid(slab: Buffer, at: number): string {
  const hex = slab.toString("hex", at, at + UUID_BYTES);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}
