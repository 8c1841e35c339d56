import fc from "fast-check";
import { expect, it } from "vitest";
import { Permits } from "../../../../../src/bus/pulsar/websocket/permits.ts";

it("permits never exceed their limits, and a consumer with room always has some", () => {
  const limit = fc.integer({ min: 1, max: 20 });
  const steps = fc.array(fc.constantFrom("arrive", "handOut", "acknowledge", "ignore"), { maxLength: 200 });
  fc.assert(
    fc.property(limit, limit, steps, (maxPrefetched, maxUnacknowledged, steps) => {
      const permits = new Permits({ maxPrefetched, maxUnacknowledged });
      let [granted, arrived, handedOut] = [permits.take(), 0, 0];
      const possible = {
        arrive: () => granted,
        ignore: () => granted,
        handOut: () => arrived,
        acknowledge: () => handedOut,
      };
      for (const step of steps) {
        if (possible[step]() === 0) {
          continue;
        }
        permits[step]();
        granted -= step === "arrive" || step === "ignore" ? 1 : 0;
        arrived += step === "arrive" ? 1 : step === "handOut" ? -1 : 0;
        handedOut += step === "handOut" ? 1 : step === "acknowledge" ? -1 : 0;
        granted += permits.take();
        expect(granted + arrived).toBeLessThanOrEqual(maxPrefetched);
        expect(granted + arrived + handedOut).toBeLessThanOrEqual(maxUnacknowledged);
        if (granted + arrived === 0) {
          expect(handedOut).toBe(maxUnacknowledged);
        }
      }
    }),
  );
});
