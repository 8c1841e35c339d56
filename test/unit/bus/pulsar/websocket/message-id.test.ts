import { expect, it } from "vitest";
import { toMessageId } from "../../../../../src/bus/pulsar/websocket/consumer.ts";

it.each([
  ["CKMBEAAwAA==", "163:0"],
  ["CJ8BEAEYAQ==", "159:1:1"],
  ["CJ8BEAEYAA==", "159:1:0"],
  ["CIGAgICAgIAQEAc=", "9007199254740993:7"],
  ["", ""],
  ["m1", "m1"],
  ["CA==", "CA=="],
  ["EAE=", "EAE="],
])("the position of the message %j is %j", (messageId, position) => {
  expect(toMessageId(messageId)).toBe(position);
});
