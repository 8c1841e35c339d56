import { describe, expect, it } from "vitest";
import { sampleFairly } from "../../../src/domain/sample-fairly.ts";
import { withSeed } from "../../support/vitest/seeded.ts";

describe("sampleFairly", () => {
  it("gives accounts turns, so that a large account does not delay a small one", async () => {
    await withSeed("gives accounts turns", (random) => {
      const due = [
        ...Array.from({ length: 100 }, (_, index) => ({ account: "large", cluster: `l${index}` })),
        { account: "small", cluster: "s0" },
        { account: "small", cluster: "s1" },
      ];
      const picked = sampleFairly(random, due, 6);
      expect(picked).toHaveLength(6);
      expect(picked.filter(({ account }) => account === "small")).toHaveLength(2);
      expect(new Set(picked.slice(0, 2).map(({ account }) => account)).size).toBe(2);
    });
  });

  it("selects each cluster once, and all if the limit allows", async () => {
    await withSeed("selects each cluster once, and all if the limit allows", (random) => {
      const due = Array.from({ length: 30 }, (_, index) => ({
        account: `a${index % 4}`,
        cluster: `${index}`,
      }));
      const picked = sampleFairly(random, due, 100);
      expect(new Set(picked).size).toBe(30);
    });
  });

  it("starts with a random cluster", async () => {
    await withSeed("starts with a random cluster", (random) => {
      const due = Array.from({ length: 10 }, (_, index) => ({ account: "a", cluster: `${index}` }));
      const firsts = Array.from({ length: 200 }, () => sampleFairly(random, due, 1)[0]?.cluster);
      expect(new Set(firsts).size).toBe(10);
    });
  });
});
