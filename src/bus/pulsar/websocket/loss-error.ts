import { toMessage } from "../../../lib/errors.ts";
import { PublishRefusedError, PublishUnknownError } from "../../bus.ts";
import type { Publish } from "../../publish-queue.ts";
import { ConnectionLostError } from "./connection-lost-error.ts";
import { DEFAULT_MAX_MESSAGE_BYTES, toMaxFrameBytes } from "./frame-limit.ts";

/** Close code for a frame that is too large (RFC 6455, section 7.4.1). */
const MESSAGE_TOO_BIG = 1009;

const DEFAULT_FRAME_BYTES = toMaxFrameBytes(DEFAULT_MAX_MESSAGE_BYTES);

/**
 * What becomes of a publish that had no receipt when its connection was lost: nobody knows, but for the frame that the
 * broker found too large, which it has not read. It hangs up on such a frame while it is still being sent, which can
 * take its reason along: then a frame above what brokers take by default is at least pointed at.
 */
export function toLossError(loss: unknown, topic: string, publish: Publish): Error {
  const { frameBytes, message } = publish;
  const limit = toFrameLimit(loss);
  if (limit !== undefined && frameBytes > limit) {
    return new PublishRefusedError(
      `topic ${topic} refused a message of ${message.payload.byteLength} bytes: its frame of ${frameBytes} ` +
        `bytes is above the broker's webSocketMaxTextFrameSize of ${limit}; raise that, or lower the bus's largest message`,
      { cause: loss },
    );
  }
  const hint =
    frameBytes > DEFAULT_FRAME_BYTES
      ? `; is its frame of ${frameBytes} bytes above the broker's webSocketMaxTextFrameSize?`
      : "";
  return new PublishUnknownError(`no receipt came from topic ${topic}: ${toMessage(loss)}${hint}`, {
    cause: loss,
  });
}

/** Jetty says: Text message size [8528461] exceeds maximum size [8388608]. */
function toFrameLimit(loss: unknown): number | undefined {
  const isTooBig = loss instanceof ConnectionLostError && loss.code === MESSAGE_TOO_BIG;
  const limit = isTooBig ? /maximum size \[(\d+)\]/.exec(loss.reason)?.[1] : undefined;
  return limit === undefined ? undefined : Number(limit);
}
