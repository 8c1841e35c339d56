import { describe, expect, it } from "vitest";
import { createSeededRandom, createSystemRandom } from "../../../src/lib/random.ts";

const uuidV4 = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

describe("seeded randomness", () => {
  it("seeded randomness repeats with its seed, and differs with another seed", () => {
    const draw = (seed: number): number[] => {
      const random = createSeededRandom(seed);
      return Array.from({ length: 20 }, () => random.float());
    };
    expect(draw(7)).toEqual(draw(7));
    expect(draw(7)).not.toEqual(draw(8));
  });

  it("seeded randomness is uniform in [0, 1)", () => {
    const random = createSeededRandom(42);
    const counts = new Array<number>(10).fill(0);
    for (let index = 0; index < 10_000; index += 1) {
      const slot = Math.floor(random.float() * 10);
      counts[slot] = (counts[slot] ?? 0) + 1;
    }
    expect(counts).toHaveLength(10);
    for (const count of counts) {
      expect(count).toBeGreaterThan(850);
      expect(count).toBeLessThan(1150);
    }
  });
});

describe.each([
  ["seeded", createSeededRandom(3)],
  ["of the machine", createSystemRandom()],
])("randomness, %s", (_, random) => {
  it("returns unique UUIDs of version 4, and numbers in [0, 1)", () => {
    const uuids = Array.from({ length: 1000 }, () => random.uuid());
    expect(new Set(uuids).size).toBe(1000);
    expect(uuids.filter((uuid) => !uuidV4.test(uuid))).toEqual([]);
    const floats = Array.from({ length: 1000 }, () => random.float());
    expect(floats.every((float) => float >= 0 && float < 1)).toBe(true);
  });
});
