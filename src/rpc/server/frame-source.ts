import { Buffer } from "node:buffer";
import { waitFor } from "../../lib/abort.ts";

/** Flags and length of a frame, as gRPC and Connect define them for streams. */
export const HEADER_BYTES = 5;

/** Reads a stream of bytes in amounts that its reader chooses. */
export class FrameSource {
  readonly #chunks: AsyncIterator<Uint8Array>;
  #parts: Uint8Array[] = [];
  #size = 0;

  constructor(chunks: AsyncIterable<Uint8Array>) {
    this.#chunks = chunks[Symbol.asyncIterator]();
  }

  /** Number of bytes that have arrived and were not taken. */
  get size(): number {
    return this.#size;
  }

  /**
   * Waits until so many bytes have arrived. Returns false if the stream ends before. Without a signal it waits as long
   * as the stream is open.
   */
  async has(bytes: number, signal?: AbortSignal): Promise<boolean> {
    while (this.#size < bytes) {
      const next = this.#chunks.next();
      const { done, value } = await (signal === undefined ? next : waitFor(signal, next));
      if (done === true) {
        return false;
      }
      this.#parts.push(value);
      this.#size += value.byteLength;
    }
    return true;
  }

  /** Returns the size of the next frame with its header, which has arrived. */
  frameBytes(): number {
    return HEADER_BYTES + this.#join(HEADER_BYTES).readUInt32BE(1);
  }

  /** Takes bytes that have arrived. */
  take(bytes: number): Buffer {
    const joined = this.#join(bytes);
    this.#parts[0] = joined.subarray(bytes);
    this.#size -= bytes;
    return joined.subarray(0, bytes);
  }

  /** Yields all other bytes of the stream. */
  async *rest(): AsyncGenerator<Uint8Array, void, undefined> {
    yield* this.#parts.splice(0).filter(({ byteLength }) => byteLength > 0);
    for (let next = await this.#chunks.next(); next.done !== true; next = await this.#chunks.next()) {
      yield next.value;
    }
  }

  /** Joins the parts that have arrived, unless the first one contains the bytes. */
  #join(bytes: number): Buffer {
    const [first] = this.#parts;
    if (first === undefined || first.byteLength < bytes) {
      this.#parts = [Buffer.concat(this.#parts)];
    }
    const [joined = new Uint8Array()] = this.#parts;
    return Buffer.from(joined.buffer, joined.byteOffset, joined.byteLength);
  }
}
