import { describe, expect, it } from "vitest";
import type { Random } from "../../../src/lib/random.ts";
import { createBackoff } from "../../../src/lib/retry.ts";
import { withSeed } from "../../support/vitest/seeded.ts";

/** Creates a random source that always returns this number. */
function constant(float: number): Random {
  return { float: () => float, uuid: () => "" };
}

describe("a backoff", () => {
  it("a backoff doubles its ceiling with each failure, up to its maximum", () => {
    const backoff = createBackoff(constant(1 - Number.EPSILON), { initialMs: 100, maxMs: 1000 });
    expect(Array.from({ length: 6 }, () => backoff.nextMs())).toEqual([100, 200, 400, 800, 1000, 1000]);
  });

  it("a backoff starts again after a success", () => {
    const backoff = createBackoff(constant(1 - Number.EPSILON), { initialMs: 100, maxMs: 1000 });
    backoff.nextMs();
    backoff.nextMs();
    backoff.reset();
    expect(backoff.nextMs()).toBe(100);
  });

  it("a backoff stays at its maximum after any number of failures", () => {
    const backoff = createBackoff(constant(0.5), { initialMs: 100, maxMs: 1000 });
    const delays = Array.from({ length: 2000 }, () => backoff.nextMs());
    expect(delays.at(-1)).toBe(500);
  });

  it("a backoff uses the whole range below its ceiling, so that clients do not retry together", async () => {
    await withSeed("a backoff uses the whole range below its ceiling", (random) => {
      const delays = Array.from({ length: 1000 }, () =>
        createBackoff(random, { initialMs: 1000, maxMs: 1000 }).nextMs(),
      );
      expect(Math.min(...delays)).toBeLessThan(100);
      expect(Math.max(...delays)).toBeGreaterThan(900);
      expect(Math.max(...delays)).toBeLessThanOrEqual(1000);
    });
  });
});
