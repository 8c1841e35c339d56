import { expect, test } from "vitest";
import { escapeControls } from "../../../src/lib/text.ts";

test.each([
  ["\u001b]0;title\u0007", "\\u001b]0;title\\u0007"],
  ["\u001b[2J", "\\u001b[2J"],
  ["a\r\nb\tc", "a\\u000d\\u000ab\\u0009c"],
  ["\u009b2J\u007f", "\\u009b2J\\u007f"],
  ["\u2028\u2029", "\\u2028\\u2029"],
  ["\u202eabc\u2066\u200f", "\\u202eabc\\u2066\\u200f"],
  ["\ud800", "\\ud800"],
  ["café 日本 😀 👩‍👩‍👧", "café 日本 😀 👩‍👩‍👧"],
])("characters that steer a terminal are escaped: %j (L24)", (text, expected) => {
  expect(escapeControls(text)).toBe(expected);
});

test("kept characters stay", () => {
  expect(escapeControls("a\n\u001b", "\n")).toBe("a\n\\u001b");
});
