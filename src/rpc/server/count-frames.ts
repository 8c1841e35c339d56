import { Buffer } from "node:buffer";
import type { DescMessage } from "@bufbuild/protobuf";
import { assertDecodable } from "../../domain/assert-decodable.ts";
import { InvalidArgumentError } from "../../lib/errors.ts";

/** Flags and length of a frame, as gRPC and Connect define them for streams. */
const HEADER_BYTES = 5;

/** Most members and elements of a message in JSON: as many as there are fields in the largest batch. */
const MAX_JSON_PARTS = 100_000;

/** Messages of a stream. */
export interface CountedMessages {
  readonly schema: DescMessage;
  /** Content type of the request. */
  readonly contentType: string;
  /** Largest message. A longer one is passed on, for Connect refuses it by its header. */
  readonly maxBytes: number;
}

/**
 * Yields the bytes of a stream, each frame after the parts of its message are counted: one of two bytes would become an
 * object of a hundred. The decoder has no such limit, and decodes 3 million of them in seconds without a pause.
 *
 * @throws InvalidArgumentError for a message of too many parts
 */
export async function* countFrames(
  chunks: AsyncIterable<Uint8Array>,
  messages: CountedMessages,
): AsyncGenerator<Uint8Array, void, undefined> {
  let parts: Uint8Array[] = [];
  let size = 0;
  let needed = HEADER_BYTES;
  let isTooLong = false;
  for await (const chunk of chunks) {
    if (isTooLong) {
      yield chunk;
      continue;
    }
    parts.push(chunk);
    size += chunk.byteLength;
    if (size < needed) {
      continue;
    }
    const bytes = Buffer.concat(parts);
    let end = 0;
    for (;;) {
      needed = frameBytes(bytes.subarray(end));
      isTooLong = needed > HEADER_BYTES + messages.maxBytes;
      if (isTooLong || end + needed > size) {
        break;
      }
      assertFewParts(bytes.subarray(end + HEADER_BYTES, end + needed), messages);
      end += needed;
    }
    if (end > 0 || isTooLong) {
      yield isTooLong ? bytes : bytes.subarray(0, end);
    }
    parts = isTooLong ? [] : [bytes.subarray(end)];
    size -= end;
  }
  // Connect reports a frame that is cut off.
  yield* parts;
}

/** Returns the size of the first frame; that of a header if the header is not complete. */
function frameBytes(bytes: Buffer): number {
  return HEADER_BYTES + (bytes.byteLength < HEADER_BYTES ? 0 : bytes.readUInt32BE(1));
}

function assertFewParts(message: Uint8Array, { schema, contentType }: CountedMessages): void {
  if (contentType.includes("json")) {
    assertFewJsonParts(message);
    return;
  }
  try {
    assertDecodable(schema, message);
  } catch (error) {
    if (error instanceof InvalidArgumentError) {
      throw error;
    }
    // The decoder refuses what is not Protobuf.
  }
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const STARTS = new Set(Buffer.from(",{["));

/** Counts what begins a member or an element, outside of texts. */
function assertFewJsonParts(json: Uint8Array): void {
  let isText = false;
  let count = 0;
  for (let at = 0; at < json.byteLength; at++) {
    const byte = json[at] ?? 0;
    if (isText && byte === BACKSLASH) {
      at++;
    } else if (byte === QUOTE) {
      isText = !isText;
    } else if (!isText && STARTS.has(byte) && ++count > MAX_JSON_PARTS) {
      const description = `expected at most ${MAX_JSON_PARTS} members and elements, found more`;
      throw new InvalidArgumentError([{ field: "", description }]);
    }
  }
}
