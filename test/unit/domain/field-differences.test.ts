import { describe, expect, it } from "vitest";
import { canonicalize } from "../../../src/domain/canonical-json.ts";
import {
  findFieldDifferences,
  MAX_FIELDS,
  MAX_PATH_BYTES,
  MAX_VALUE_BYTES,
} from "../../../src/domain/field-differences.ts";
import type { Random } from "../../../src/lib/random.ts";
import { withSeed } from "../../support/vitest/seeded.ts";

describe("the fields that differ (R83)", () => {
  it.each<[string, string, string, [path: string, stored: string, observed: string][]]>([
    ["are none in equal texts", '{"a":[1,{"b":null}]}', '{ "a": [1.0, {"b": null}] }', []],
    ["have the path of their keys", '{"a":{"b":1}}', '{"a":{"b":2}}', [["/a/b", "1", "2"]]],
    [
      "are in key order",
      '{"b":1,"a":1}',
      '{"a":2,"b":2}',
      [
        ["/a", "1", "2"],
        ["/b", "1", "2"],
      ],
    ],
    [
      "may be absent on one side",
      '{"a":1}',
      '{"b":{"c":[]}}',
      [
        ["/a", "1", ""],
        ["/b", "", '{"c":[]}'],
      ],
    ],
    ["tell null from an absent field", '{"a":null}', "{}", [["/a", "null", ""]]],
    ["may change their type", '{"a":{"b":1}}', '{"a":[1]}', [["/a", '{"b":1}', "[1]"]]],
    ["tell a text from a number", '{"a":"1"}', '{"a":1}', [["/a", '"1"', "1"]]],
    [
      "are compared by index in arrays",
      "[1,2,3]",
      "[1,3]",
      [
        ["/1", "2", "3"],
        ["/2", "3", ""],
      ],
    ],
    [
      "escape keys",
      '{"a/b":1,"m~n":1}',
      '{"a/b":2,"m~n":2}',
      [
        ["/a~1b", "1", "2"],
        ["/m~0n", "1", "2"],
      ],
    ],
    ["may have an empty key", '{"":1}', '{"":2}', [["/", "1", "2"]]],
    ["may be the whole", "[]", "{}", [["", "[]", "{}"]]],
    [
      "have every digit of integers",
      '{"a":9007199254740993}',
      '{"a":9007199254740992}',
      [["/a", "9007199254740993", "9007199254740992"]],
    ],
    [
      "have every digit of fractions",
      '{"a":0.1}',
      '{"a":0.10000000000000001}',
      [["/a", "0.1", "0.10000000000000001"]],
    ],
    ["are none for two texts of a number", '{"a":1e2}', '{"a":100.0}', []],
    ["do not come from prototypes", '{"constructor":1}', "{}", [["/constructor", "1", ""]]],
    ["include __proto__", '{"__proto__":1}', "{}", [["/__proto__", "1", ""]]],
    ["have paths that Postgres can store", '{"\\u0000\\ud800":1}', "{}", [["/\ufffd\ufffd", "1", ""]]],
  ])("%s", (_what, stored, observed, expected) => {
    const found = findFieldDifferences(stored, observed);
    expect(found.map((field) => [field.path, field.stored, field.observed])).toEqual(expected);
  });

  it("are the first 20, with shortened paths and values", () => {
    const many = Object.fromEntries(Array.from({ length: 30 }, (_, i) => [`k${10 + i}`, i]));
    const found = findFieldDifferences(JSON.stringify(many), "{}");
    expect(found.map(({ path }) => path)).toEqual(
      Array.from({ length: MAX_FIELDS }, (_, i) => `/k${10 + i}`),
    );
    const [long] = findFieldDifferences(JSON.stringify({ ["ä".repeat(1_000)]: "ü".repeat(1_000) }), "{}");
    expect(Buffer.byteLength(long?.path ?? "")).toBeLessThanOrEqual(MAX_PATH_BYTES);
    expect(Buffer.byteLength(long?.stored ?? "")).toBeLessThanOrEqual(MAX_VALUE_BYTES);
    expect(long?.stored).toMatch(/^"ü+\.\.\.$/);
  });

  it("are none if a text is nested too deep to have a canonical form", () => {
    expect(findFieldDifferences(`{"a":${"[".repeat(5_000)}1${"]".repeat(5_000)}}`, '{"a":1}')).toEqual([]);
  });

  it("are exactly those that were changed, for any JSON", async () => {
    await withSeed("are exactly those that were changed", (random) => {
      for (let round = 0; round < 300; round += 1) {
        const stored = randomObject(random, 3);
        const text = canonicalize(stored);
        expect(findFieldDifferences(text, text)).toEqual([]);
        const observed = JSON.parse(text) as Record<string, unknown>;
        const path = change(random, observed);
        const found = findFieldDifferences(text, canonicalize(observed));
        expect(found.length).toBeGreaterThan(0);
        expect(found.every((field) => field.path === path || field.path.startsWith(`${path}/`))).toBe(true);
        const reversed = findFieldDifferences(canonicalize(observed), text);
        expect(reversed.map((field) => [field.path, field.observed, field.stored])).toEqual(
          found.map((field) => [field.path, field.stored, field.observed]),
        );
      }
    });
  });
});

function randomObject(random: Random, depth: number): Record<string, unknown> {
  const size = 1 + Math.floor(random.float() * 4);
  return Object.fromEntries(Array.from({ length: size }, (_, i) => [`k${i}`, randomValue(random, depth)]));
}

function randomValue(random: Random, depth: number): unknown {
  const kind = depth === 0 ? random.float() * 0.5 : random.float();
  if (kind < 0.2) {
    return Math.floor(random.float() * 1000) / 8;
  }
  if (kind < 0.35) {
    return `text ${Math.floor(random.float() * 100)}`;
  }
  if (kind < 0.5) {
    return random.float() < 0.5 ? null : random.float() < 0.5;
  }
  const size = Math.floor(random.float() * 4);
  return kind < 0.7
    ? Array.from({ length: size }, () => randomValue(random, depth - 1))
    : randomObject(random, depth - 1);
}

/** Changes one field to a value that occurs nowhere else, and returns its path. */
function change(random: Random, value: Record<string, unknown> | unknown[]): string {
  const keys = Object.keys(value);
  const key = keys[Math.floor(random.float() * keys.length)] ?? "k0";
  const fields = value as Record<string, unknown>;
  const child = fields[key];
  const isContainer = typeof child === "object" && child !== null && Object.keys(child).length > 0;
  if (isContainer && random.float() < 0.7) {
    return `/${key}${change(random, child as Record<string, unknown>)}`;
  }
  fields[key] = "changed";
  return `/${key}`;
}
