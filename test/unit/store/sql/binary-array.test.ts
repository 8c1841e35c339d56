import { expect, it } from "vitest";
import { toByteaArray, toTextArray } from "../../../../src/store/sql/binary-array.ts";

const BYTEA = 17;
const TEXT = 25;

/** Decodes an array as Postgres's `array_recv` does. */
function decode(buffer: Buffer): { hasNulls: number; type: number; values: (string | null)[] } {
  const [dimensions, hasNulls, type, length, lowerBound] = [0, 4, 8, 12, 16].map((at) =>
    buffer.readInt32BE(at),
  );
  expect([dimensions, lowerBound]).toEqual([1, 1]);
  const values: (string | null)[] = [];
  let offset = 20;
  for (let index = 0; index < (length ?? 0); index += 1) {
    const size = buffer.readInt32BE(offset);
    offset += 4;
    values.push(size === -1 ? null : buffer.toString("utf8", offset, offset + size));
    offset += Math.max(size, 0);
  }
  expect(offset).toBe(buffer.length);
  return { hasNulls: hasNulls ?? -1, type: type ?? -1, values };
}

it("an array of texts has each text, also an empty one, one of several bytes per character, and one of bytes", () => {
  expect(decode(toTextArray(["a", "", "é€", Buffer.from('{"b":1}')]))).toEqual({
    ...{ hasNulls: 0, type: TEXT },
    values: ["a", "", "é€", '{"b":1}'],
  });
});

it("an array with a null states so", () => {
  expect(decode(toTextArray([null, "a", null]))).toEqual({
    ...{ hasNulls: 1, type: TEXT },
    values: [null, "a", null],
  });
});

it("an array of bytes has their type", () => {
  expect(decode(toByteaArray([Buffer.from("ab"), null]))).toEqual({
    ...{ hasNulls: 1, type: BYTEA },
    values: ["ab", null],
  });
});

it("an empty array has no elements", () => {
  expect(decode(toTextArray([]))).toEqual({ hasNulls: 0, type: TEXT, values: [] });
});
