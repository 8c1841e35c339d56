import { describe, expect, test } from "vitest";
import { UncanonicalError } from "../../../src/domain/canonical-json.ts";
import { canonicalizeJsonbText } from "../../../src/domain/canonical-text.ts";
import { runWhole } from "../../../src/lib/slices.ts";

describe("the canonical text of a jsonb text", () => {
  test.each([
    ['{"b": 1, "aa": [1, 2.50, {}], "é": "a, b: [c] {d}"}', '{"aa":[1,2.5,{}],"b":1,"é":"a, b: [c] {d}"}'],
    ['{"a\\"": 1, "a!": 2, "a#": 3}', '{"a!":2,"a\\"":1,"a#":3}'],
    ['{"\u{1f600}": 1, "\uffff": 2}', '{"\uffff":2,"\u{1f600}":1}'],
    ['["a\\\\", "\\\\\\"", ""]', '["a\\\\","\\\\\\"",""]'],
    ["[true, false, null, -0.10, 12345678901234567890]", "[true,false,null,-0.1,12345678901234567890]"],
    ["1.0", "1"],
    ['"x"', '"x"'],
    ["[[], [[]], {}]", "[[],[[]],{}]"],
  ])("%s", (text, expected) => {
    expect(runWhole(canonicalizeJsonbText(text))).toBe(expected);
  });

  test("is found at any depth", () => {
    const text = `${"[".repeat(100_000)}1${"]".repeat(100_000)}`;
    expect(runWhole(canonicalizeJsonbText(text))).toBe(text);
  });

  test("has no number out of range", () => {
    expect(() => runWhole(canonicalizeJsonbText(`[0.${"0".repeat(16_383)}1]`))).toThrow(UncanonicalError);
  });

  test("is found in steps that read about 64 Ki characters, all of them once (L21)", () => {
    const text = `[${"1.5, ".repeat(800_000)}1]`;
    const steps: number[] = [];
    const slices = canonicalizeJsonbText(text);
    for (let step = slices.next(); step.done !== true; step = slices.next()) {
      steps.push(step.value);
    }
    expect(Math.max(...steps)).toBeLessThan(66 * 1024);
    expect(steps.reduce((sum, step) => sum + step, 0)).toBe(text.length);
  });
});
