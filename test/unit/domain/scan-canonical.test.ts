import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { canonicalize, parseExact } from "../../../src/domain/canonical-json.ts";
import { scanCanonical } from "../../../src/domain/scan-canonical.ts";
import { canonicalVectors } from "../../support/canonical-vectors.ts";
import { withSeed } from "../../support/vitest/seeded.ts";

/** Returns the reason for which the scanner refuses the content; undefined if it accepts it. */
function refusalOf(content: string | Uint8Array): string | undefined {
  try {
    scanCanonical(Buffer.from(content));
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

/** True if the bytes are the canonical form of the value that they hold; slow and simple. */
function isCanonical(bytes: Uint8Array): boolean {
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    return canonicalize(parseExact(text)) === text;
  } catch {
    return false;
  }
}

/** Bytes that begin, end or change something, and one of each class of UTF-8. */
const BYTES = Buffer.from([
  ...Buffer.from('{}[]",:\\/.-+0159eEtfnubdac xAF<\n\t\b'),
  ...[0x00, 0x1f, 0x7f, 0x80, 0xa0, 0xbf, 0xc0, 0xc3, 0xe0, 0xed, 0xef, 0xf0, 0xf4, 0xf8, 0xff],
]);

/** Yields each deletion, replacement and insertion of one byte. */
function* mutationsOf(bytes: Buffer): Generator<Buffer> {
  for (let at = 0; at <= bytes.length; at++) {
    const [before, after] = [bytes.subarray(0, at), bytes.subarray(at)];
    yield Buffer.concat([before, after.subarray(1)]);
    for (const byte of BYTES) {
      yield Buffer.concat([before, Buffer.of(byte), after]);
      yield Buffer.concat([before, Buffer.of(byte), after.subarray(1)]);
    }
  }
}

/** Strings that escapes, surrogates and the order of keys distinguish. */
const text = fc.oneof(
  fc.string({ maxLength: 6 }),
  fc.string({ unit: "binary", maxLength: 4 }),
  fc
    .array(
      fc.constantFrom(
        "a",
        "b",
        '"',
        "\\",
        "\n",
        "\u0000",
        "\u001f",
        "\u007f",
        "\u2028",
        "<",
        "\ud800",
        "\udc00",
        "\ue000",
        "😀",
        "é",
      ),
      { maxLength: 4 },
    )
    .map((characters) => characters.join("")),
);
const { value } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, depthSize: "small" },
    fc.oneof(
      text,
      fc.boolean(),
      fc.constant(null),
      fc.integer(),
      fc.double({ noNaN: true, noDefaultInfinity: true }),
      fc.bigInt().map((n) => parseExact(`${n}`)),
    ),
    fc.array(tie("value"), { maxLength: 4 }),
    fc.dictionary(text, tie("value"), { maxKeys: 4 }),
  ),
}));

describe("scanCanonical", () => {
  it("accepts what canonicalize returns (R80)", async () => {
    await withSeed("accepts what canonicalize returns", (_random, seed) => {
      fc.assert(
        fc.property(value, (json) => {
          expect(refusalOf(canonicalize(json))).toBeUndefined();
        }),
        { seed, numRuns: 2_000 },
      );
    });
  });

  it("accepts a text with one wrong byte only if that is canonical too (R80)", async () => {
    await withSeed("accepts a text with one wrong byte only if that is canonical too", (_random, seed) => {
      fc.assert(
        fc.property(value, (json) => {
          const bytes = Buffer.from(canonicalize(json)).subarray(0, 60);
          for (const mutation of mutationsOf(bytes)) {
            if ((refusalOf(mutation) === undefined) !== isCanonical(mutation)) {
              throw new Error(
                `expected ${isCanonical(mutation)} for ${mutation.toString("hex")} ${mutation}`,
              );
            }
          }
        }),
        { seed, numRuns: 20 },
      );
    });
  });

  it.each(canonicalVectors)("accepts the canonical form of the vector: $name", (vector) => {
    expect(refusalOf(vector.canonical)).toBeUndefined();
    expect(refusalOf(vector.text) === undefined).toBe(vector.text === vector.canonical);
  });

  it.each([
    "42",
    "-0.5",
    "0.0001",
    "[]",
    "{}",
    '""',
    '{"":0}',
    '{"":{"":{}},"a":[[],{}]}',
    '"\u007f\u2028\u2029<>&/"',
    '"\\u0000\\u001f\\ud800"',
    '"\\udc00\\ud800"',
    '"\\ud800\\ud800"',
    '"😀"',
    '{"a":1,"a ":2,"aa":3}',
    // The order of code points: a newline, a quote, U+E000, above U+FFFF, and a surrogate without its pair.
    '{"\\n":1,"!":2,"\\"":3,"#":4,"\\\\":5,"]":6,"\ue000":7,"😀":8}',
    '{"\ue000":1,"\\ud800":2,"😀":3}',
    `[${"9".repeat(131_072)}]`,
    `[0.${"0".repeat(16_382)}1]`,
    "[".repeat(1_000) + "]".repeat(1_000),
    `${'{"a":'.repeat(999)}{}${"}".repeat(999)}`,
  ])("accepts %.60s", (content) => {
    expect(isCanonical(Buffer.from(content))).toBe(true);
    expect(refusalOf(content)).toBeUndefined();
  });

  it.each([
    ["", "byte 0: expected a value, found the end of the content"],
    ['{"a":1,"b":2,"a":3}', 'byte 13: keys out of order ("b" before "a")'],
    ['{"a":1,"a":2}', 'byte 7: duplicate key "a"'],
    ['{"\\n":1,"\\n":2}', 'byte 8: duplicate key "\\n"'],
    ['{"😀":1,"\ue000":2}', 'byte 10: keys out of order ("😀" before "\ue000")'],
    ['{"😀":1,"\\ud800":2}', 'byte 10: keys out of order ("😀" before "\\ud800")'],
    ['{"!":1,"\\n":2}', 'byte 7: keys out of order ("!" before "\\n")'],
    [`{"${"b".repeat(100)}":1,"a":2}`, `byte 106: keys out of order ("${"b".repeat(60)}..." before "a")`],
    ['"\\u003c"', 'byte 1: the escape "\\u003c" is not canonical'],
    ['"\\/"', 'byte 1: the escape "\\/" is not canonical'],
    ['"\\\u0000"', 'byte 1: the escape "\\\ufffd" is not canonical'],
    ['"\\u000a"', 'byte 1: the escape "\\u000a" is not canonical'],
    ['"\\u001F"', 'byte 1: the escape "\\u001F" is not canonical'],
    ['"\\u007f"', 'byte 1: the escape "\\u007f" is not canonical'],
    ['"\\uD800"', 'byte 1: the escape "\\uD800" is not canonical'],
    ['"\\ud83d\\ude00"', "byte 1: expected one character, found escapes of a surrogate pair"],
    ["1.0", "byte 2: fraction with a trailing zero"],
    ["1.", "byte 2: expected a digit, found the end of the content"],
    ["1e3", "byte 1: number with an exponent"],
    ["1.5E3", "byte 3: number with an exponent"],
    ["-0", "byte 0: negative zero"],
    ["-0.0", "byte 3: fraction with a trailing zero"],
    ["01", "byte 0: number with a leading zero"],
    ["+1", 'byte 0: expected a value, found "+"'],
    [".5", 'byte 0: expected a value, found "."'],
    [`[${"9".repeat(131_073)}]`, "byte 1: expected at most 131072 digits, found 131073"],
    [`[0.${"0".repeat(16_383)}1]`, "byte 3: expected at most 16383 digits, found 16384"],
    ['"\n"', "byte 1: expected an escape or the end of a string, found byte 0x0a"],
    ['"a', "byte 2: expected an escape or the end of a string, found the end of the content"],
    [' "a"', "byte 0: expected a value, found byte 0x20"],
    ['{"a": 1}', "byte 5: expected a value, found byte 0x20"],
    ['{"a" :1}', 'byte 4: expected ":", found byte 0x20'],
    ["{} ", "byte 2: bytes after the value"],
    ["42 43", "byte 2: bytes after the value"],
    ["{}{}", "byte 2: bytes after the value"],
    ['{"a":1,}', 'byte 7: expected a key, found "}"'],
    ["{1:1}", 'byte 1: expected a key, found "1"'],
    ["[1,]", 'byte 3: expected a value, found "]"'],
    ["[1}", 'byte 2: expected "," or "]", found "}"'],
    ['{"a":1]', 'byte 6: expected "," or "}", found "]"'],
    ["[", "byte 1: expected a value, found the end of the content"],
    ["nul", 'byte 0: expected a value, found "n"'],
    ["[".repeat(1_001) + "]".repeat(1_001), "byte 1000: nested deeper than 1000 levels"],
    ["[".repeat(4_000_000), "byte 1000: nested deeper than 1000 levels"],
  ])("refuses %.60s", (content, reason) => {
    expect(isCanonical(Buffer.from(content))).toBe(false);
    expect(refusalOf(content)).toBe(`not canonical at ${reason}`);
  });

  it.each([
    ["an overlong form of two bytes", [0xc0, 0x80], 1],
    ["an overlong form of three bytes", [0xe0, 0x9f, 0xbf], 1],
    ["an overlong form of four bytes", [0xf0, 0x8f, 0xbf, 0xbf], 1],
    ["a surrogate", [0xed, 0xa0, 0x80], 1],
    ["a truncated form", [0x61, 0xc3], 2],
    ["a truncated form of four bytes", [0xf0, 0x9f, 0x98], 1],
    ["a continuation byte alone", [0x80], 1],
    ["a code point above U+10FFFF", [0xf4, 0x90, 0x80, 0x80], 1],
    ["a byte that UTF-8 never has", [0xff], 1],
  ])("refuses %s", (_name, bytes, at) => {
    const content = Buffer.from([0x22, ...bytes, 0x22]);
    expect(isCanonical(content)).toBe(false);
    expect(refusalOf(content)).toBe(`not canonical at byte ${at}: not UTF-8`);
  });

  it("refuses a byte order mark", () => {
    expect(refusalOf("\ufeff{}")).toBe("not canonical at byte 0: expected a value, found byte 0xef");
  });

  it("reads a part of a larger buffer", () => {
    const buffer = Buffer.from("xx{}xx");
    expect(() => scanCanonical(new Uint8Array(buffer.buffer, buffer.byteOffset + 2, 2))).not.toThrow();
  });

  it("reports the members of the outermost metadata object only", () => {
    const found: string[] = [];
    const content = Buffer.from(
      '{"a":{"metadata":{"no":1}},"metadata":{"labels":{"no":1},"name":"x"},"spec":{"no":1}}',
    );
    scanCanonical(content, (start, end, at) => found.push(`${content.subarray(start, end)}@${at}`));
    expect(found).toEqual(["labels@48", "name@64"]);
    scanCanonical(Buffer.from('[{"no":1},{"metadata":{"no":1}}]'), () => found.push("array"));
    scanCanonical(Buffer.from('{"metadata":[{"no":1}]}'), () => found.push("array"));
    expect(found).toHaveLength(2);
  });
});
