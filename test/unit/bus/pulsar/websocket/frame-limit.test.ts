import { expect, it } from "vitest";
import {
  DEFAULT_MAX_MESSAGE_BYTES,
  toMaxFrameBytes,
} from "../../../../../src/bus/pulsar/websocket/frame-limit.ts";

it("fills the text frame of a broker with default settings, and no more", () => {
  expect(toMaxFrameBytes(DEFAULT_MAX_MESSAGE_BYTES)).toBe(1024 * 1024);
});
