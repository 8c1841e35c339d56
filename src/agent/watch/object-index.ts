import { type Address, type PackedObject, PackedRecords } from "./packed-records.ts";

const EMPTY = 0;
const DELETED = 0xffff_ffff;
const MIN_SLOTS = 16;
/** Below this size of the holes, a copy costs more than it frees. */
const MIN_HOLES_BYTES = 64 * 1024;

/**
 * Index of the objects of a resource type by key ("namespace/name"): 12 MB for 100,000 objects.
 *
 * It is a hash table with open addressing over {@link PackedRecords}. It grows, and closes the holes of
 * deleted records, in proportion to the changes, so each change takes constant time on average.
 */
export class PackedIndex {
  #records = new PackedRecords();
  /** Address + 1 of a record, or EMPTY, or DELETED. */
  #slots = new Uint32Array(MIN_SLOTS);
  #size = 0;
  /** Slots that are not EMPTY. */
  #taken = 0;
  #holes = 0;

  get size(): number {
    return this.#size;
  }

  /** Bytes of the records and the table, including holes. */
  get bytes(): number {
    return this.#records.bytes + this.#slots.byteLength;
  }

  get(key: string): PackedObject | undefined {
    const slot = this.#find(Buffer.from(key));
    return slot === undefined ? undefined : this.#records.get(this.#addressIn(slot));
  }

  has(key: string): boolean {
    return this.#find(Buffer.from(key)) !== undefined;
  }

  set(key: string, object: PackedObject): void {
    const bytes = Buffer.from(key);
    const slot = this.#find(bytes);
    if (slot === undefined) {
      this.#insert(bytes, this.#records.add(bytes, object));
      this.#size++;
      return;
    }
    const old = this.#addressIn(slot);
    if (!this.#records.replace(old, bytes, object)) {
      this.#holes += this.#records.sizeAt(old);
      this.#slots[slot] = this.#records.add(bytes, object) + 1;
      this.#closeHoles();
    }
  }

  /** Removes the object. Returns true if it was present. */
  delete(key: string): boolean {
    const slot = this.#find(Buffer.from(key));
    if (slot === undefined) {
      return false;
    }
    this.#holes += this.#records.sizeAt(this.#addressIn(slot));
    this.#slots[slot] = DELETED;
    this.#size--;
    this.#closeHoles();
    return true;
  }

  /**
   * Yields the keys in no order. The loop may delete the current key; other changes during the iteration may
   * or may not be visible.
   */
  *keys(): Generator<string, void, undefined> {
    const [slots, records] = [this.#slots, this.#records];
    for (const entry of slots) {
      if (entry !== EMPTY && entry !== DELETED) {
        yield records.key(entry - 1);
      }
    }
  }

  #addressIn(slot: number): Address {
    return (this.#slots[slot] as number) - 1;
  }

  #find(key: Uint8Array): number | undefined {
    const mask = this.#slots.length - 1;
    for (let slot = hash(key) & mask; ; slot = (slot + 1) & mask) {
      const entry = this.#slots[slot];
      if (entry === EMPTY) {
        return undefined;
      }
      if (entry !== DELETED && Buffer.compare(this.#records.keyBytes(this.#addressIn(slot)), key) === 0) {
        return slot;
      }
    }
  }

  #insert(key: Uint8Array, address: Address): void {
    if ((this.#taken + 1) * 4 > this.#slots.length * 3) {
      this.#rebuild(this.#records);
    }
    const mask = this.#slots.length - 1;
    let slot = hash(key) & mask;
    while (this.#slots[slot] !== EMPTY) {
      slot = (slot + 1) & mask;
    }
    this.#slots[slot] = address + 1;
    this.#taken++;
  }

  #closeHoles(): void {
    if (this.#holes > MIN_HOLES_BYTES && this.#holes * 2 > this.#records.bytes) {
      this.#rebuild(new PackedRecords());
      this.#holes = 0;
    }
  }

  /** Creates a new table, at most half full. Copies the records if `records` is a new buffer. */
  #rebuild(records: PackedRecords): void {
    const [oldSlots, oldRecords] = [this.#slots, this.#records];
    this.#slots = new Uint32Array(slotsFor(this.#size + 1));
    this.#records = records;
    this.#taken = 0;
    for (const entry of oldSlots) {
      if (entry !== EMPTY && entry !== DELETED) {
        const key = oldRecords.keyBytes(entry - 1);
        const address = records === oldRecords ? entry - 1 : records.add(key, oldRecords.get(entry - 1));
        this.#insert(key, address);
      }
    }
  }
}

function slotsFor(size: number): number {
  return Math.max(MIN_SLOTS, 2 ** Math.ceil(Math.log2(size * 2)));
}

/** FNV-1a with a final mix, because the table uses the low bits. */
function hash(key: Uint8Array): number {
  let value = 0x811c9dc5;
  for (let i = 0; i < key.length; i++) {
    value = Math.imul(value ^ (key[i] as number), 0x01000193);
  }
  return (value ^ (value >>> 15)) >>> 0;
}
