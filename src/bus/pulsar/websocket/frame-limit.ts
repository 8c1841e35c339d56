import { PublishRefusedError } from "../../bus.ts";

/** Maximum bytes of a frame besides the payload: key, properties, context and their JSON. */
const ENVELOPE_BYTES = 32 * 1024;

/**
 * Largest payload that is safe with the default settings of a broker. They allow text frames of 1 MiB, of
 * which 32 KiB are reserved for key and properties. Base64 encodes 3 bytes as 4, so that the other 1,015,808
 * bytes hold 761,856.
 */
export const DEFAULT_MAX_MESSAGE_BYTES = 761_856;

/** Returns the size of the largest text frame for payloads of up to this size, in bytes. */
export function toMaxFrameBytes(maxMessageBytes: number): number {
  return 4 * Math.ceil(maxMessageBytes / 3) + ENVELOPE_BYTES;
}

/**
 * Asserts that key and properties leave room for the payload in its frame.
 *
 * @throws PublishRefusedError if the frame is too large.
 */
export function assertFrameFits(frameBytes: number, payloadBytes: number, maxFrameBytes: number): void {
  if (frameBytes > maxFrameBytes) {
    throw new PublishRefusedError(
      `a message of ${payloadBytes} bytes is too large with its key and properties: ` +
        `expected a frame of at most ${maxFrameBytes} bytes, found ${frameBytes}`,
    );
  }
}
