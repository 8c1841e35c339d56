import { PublishRefusedError } from "../../bus.ts";

/** What a frame may hold besides the payload: key, properties, context and their JSON. */
const ENVELOPE_BYTES = 32 * 1024;

/**
 * Largest payload that is safe with a broker of default settings: a text frame holds 1 MiB there, of which 32 KiB are
 * set aside for key and properties; base64 makes 4 bytes of 3 of the other 1,015,808, which leaves 761,856.
 */
export const DEFAULT_MAX_MESSAGE_BYTES = 761_856;

/** Largest text frame that a payload of this size is sent in, in bytes. */
export function toMaxFrameBytes(maxMessageBytes: number): number {
  return 4 * Math.ceil(maxMessageBytes / 3) + ENVELOPE_BYTES;
}

/** Throws `PublishRefusedError` for a frame that its payload's limit leaves no room for: key and properties are large. */
export function assertFrameFits(frameBytes: number, payloadBytes: number, maxFrameBytes: number): void {
  if (frameBytes > maxFrameBytes) {
    throw new PublishRefusedError(
      `a message of ${payloadBytes} bytes makes a frame of ${frameBytes} bytes with its key and properties: ` +
        `expected at most ${maxFrameBytes}`,
    );
  }
}
