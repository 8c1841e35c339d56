import { Buffer } from "node:buffer";
import type { DescMessage } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { assertDecodable } from "../../domain/assert-decodable.ts";
import { NEVER, withinDeadline } from "../../lib/abort.ts";
import type { Clock } from "../../lib/clock.ts";
import { InvalidArgumentError } from "../../lib/errors.ts";
import { FrameSource, HEADER_BYTES } from "./frame-source.ts";

/** Most members and elements of a message in JSON: as many as there are fields in the largest batch. */
const MAX_JSON_PARTS = 100_000;

/** Largest first message of a stream, in bytes. It only names what the stream is for. */
const MAX_FIRST_BYTES = 64 * 1024;

/** Longest time from the header of a message to its end, in milliseconds: 6 MiB at 100 KB/s. */
const MAX_MESSAGE_MS = 60_000;

/** Memory for the messages of a stream, which is read one message at a time. */
export interface FrameMemory {
  /** Reserves memory for a message of this size, as soon as there is room. */
  take(bytes: number): Promise<void>;
  /** Gives it back. */
  release(): void;
}

/** Messages of a stream. */
export interface CountedMessages {
  readonly schema: DescMessage;
  /** Content type of the request. */
  readonly contentType: string;
  /** Largest message. A longer one is passed on, for Connect refuses it by its header. */
  readonly maxBytes: number;
  readonly memory: FrameMemory;
  /** Waits for the turn of a message of this size, which has arrived. */
  readonly turn: (bytes: number) => Promise<void>;
  readonly clock: Clock;
}

/**
 * Yields the frames of a stream one by one. Reserves memory for a message when its header has arrived, and gives it
 * back when the next one is requested, because the reader has handled the message then. Without room it reads no
 * further, and the flow control of HTTP/2 stops the sender. Each frame waits for its turn.
 *
 * The parts of each message are counted before: one of two bytes would become an object of a hundred. The decoder has
 * no such limit, and decodes 3 million of them in seconds without a pause.
 *
 * @throws InvalidArgumentError for a message of too many parts, and for a first one that is too large
 * @throws ConnectError (DEADLINE_EXCEEDED) for a message that does not arrive in time
 */
export async function* countFrames(
  chunks: AsyncIterable<Uint8Array>,
  messages: CountedMessages,
): AsyncGenerator<Uint8Array, void, undefined> {
  const { maxBytes, memory } = messages;
  const source = new FrameSource(chunks);
  for (let isFirst = true; await source.has(HEADER_BYTES); isFirst = false) {
    const bytes = source.frameBytes();
    if (bytes > HEADER_BYTES + maxBytes) {
      break;
    }
    if (isFirst && bytes > HEADER_BYTES + MAX_FIRST_BYTES) {
      throw invalid(`expected a first message of at most ${MAX_FIRST_BYTES} bytes, found more`);
    }
    await memory.take(bytes);
    if (!(await arrivesInTime(source, messages.clock, bytes))) {
      break;
    }
    await messages.turn(bytes);
    const frame = source.take(bytes);
    assertFewParts(frame.subarray(HEADER_BYTES), messages);
    yield frame;
    memory.release();
  }
  // Connect reports a frame that is cut off, and one that is too long.
  yield* source.rest();
}

async function arrivesInTime(source: FrameSource, clock: Clock, bytes: number): Promise<boolean> {
  if (source.size >= bytes) {
    return true;
  }
  const arrive = (signal: AbortSignal): Promise<boolean> => source.has(bytes, signal);
  return await withinDeadline(NEVER, clock, MAX_MESSAGE_MS, arrive, () => {
    const message = `message: expected its ${bytes} bytes within ${MAX_MESSAGE_MS} ms`;
    throw new ConnectError(message, Code.DeadlineExceeded);
  });
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
      throw invalid(`expected at most ${MAX_JSON_PARTS} members and elements, found more`);
    }
  }
}

function invalid(description: string): InvalidArgumentError {
  return new InvalidArgumentError([{ field: "message", description }]);
}
