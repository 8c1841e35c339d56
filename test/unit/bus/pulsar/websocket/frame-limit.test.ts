import { expect, it } from "vitest";
import {
  DEFAULT_MAX_MESSAGE_BYTES,
  toMaxFrameBytes,
} from "../../../../../src/bus/pulsar/websocket/frames.ts";

it("the default payload limit fills exactly the default text frame of a broker", () => {
  expect(toMaxFrameBytes(DEFAULT_MAX_MESSAGE_BYTES)).toBe(1024 * 1024);
});
