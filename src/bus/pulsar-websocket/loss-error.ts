import { toMessage } from "../../lib/errors.ts";
import { PublishRefusedError, PublishUnknownError } from "../bus.ts";
import type { Publish } from "../publish-queue.ts";
import { ConnectionLostError } from "./connection-lost-error.ts";

/** Close code for a frame that is too large (RFC 6455, section 7.4.1). */
const MESSAGE_TOO_BIG = 1009;

/**
 * What becomes of a publish that had no receipt when its connection was lost: nobody knows, but for the frame that the
 * broker found too large, which it has not read.
 */
export function toLossError(loss: unknown, topic: string, publish: Publish): Error {
  const limit = toFrameLimit(loss);
  if (limit !== undefined && publish.frameBytes > limit) {
    return new PublishRefusedError(
      `topic ${topic} refused a message of ${publish.message.payload.byteLength} bytes: its frame of ${publish.frameBytes} ` +
        `bytes is above the broker's webSocketMaxTextFrameSize of ${limit}; raise that, or lower the bus's largest message`,
      { cause: loss },
    );
  }
  return new PublishUnknownError(`no receipt came from topic ${topic}: ${toMessage(loss)}`, { cause: loss });
}

/** Jetty says: Text message size [8528461] exceeds maximum size [8388608]. */
function toFrameLimit(loss: unknown): number | undefined {
  const isTooBig = loss instanceof ConnectionLostError && loss.code === MESSAGE_TOO_BIG;
  const limit = isTooBig ? /maximum size \[(\d+)\]/.exec(loss.reason)?.[1] : undefined;
  return limit === undefined ? undefined : Number(limit);
}
