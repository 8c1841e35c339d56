import fc from "fast-check";
import { expect, it } from "vitest";
import { Permits, QUIET_MS } from "../../../../../src/bus/pulsar/websocket/permits.ts";

it("permits never exceed their limits, and a consumer with room always has some", () => {
  const limit = fc.integer({ min: 1, max: 20 });
  const step = fc.record({
    type: fc.constantFrom("arrive", "handOut", "acknowledge", "ignore"),
    afterMs: fc.constantFrom(0, 10, QUIET_MS + 1),
  });
  fc.assert(
    fc.property(
      limit,
      limit,
      fc.array(step, { maxLength: 200 }),
      (maxPrefetched, maxUnacknowledged, steps) => {
        const permits = new Permits({ maxPrefetched, maxUnacknowledged });
        let [granted, arrived, handedOut, nowMs] = [permits.take(), 0, 0, 0];
        const possible = {
          arrive: () => granted,
          ignore: () => granted,
          handOut: () => arrived,
          acknowledge: () => handedOut,
        };
        for (const { type, afterMs } of steps) {
          nowMs += afterMs;
          if (possible[type]() === 0) {
            continue;
          }
          permits[type](nowMs);
          granted -= type === "arrive" || type === "ignore" ? 1 : 0;
          arrived += type === "arrive" ? 1 : type === "handOut" ? -1 : 0;
          handedOut += type === "handOut" ? 1 : type === "acknowledge" ? -1 : 0;
          granted += permits.take();
          expect(granted + arrived).toBeLessThanOrEqual(maxPrefetched);
          expect(granted + arrived + handedOut).toBeLessThanOrEqual(maxUnacknowledged);
          if (granted + arrived === 0) {
            expect(handedOut).toBe(maxUnacknowledged);
          }
        }
      },
    ),
  );
});

/**
 * Receives messages for all permits at once, and acknowledges them. Returns the number of permits that the
 * consumer sends for them.
 */
function useAll(permits: Permits, granted: number): number {
  for (let message = 0; message < granted; message++) {
    permits.arrive(0);
  }
  let sent = 0;
  for (let message = 0; message < granted; message++) {
    permits.handOut();
    sent += permits.take();
    permits.acknowledge();
  }
  return sent + permits.take();
}

it("permits grow while they are used up quickly, up to the limit", () => {
  const permits = new Permits({ maxPrefetched: 16, maxUnacknowledged: 100 });
  const granted = [permits.take()];
  for (let round = 0; round < 8; round++) {
    granted.push(useAll(permits, granted.at(-1) ?? 0));
  }
  expect(granted[0]).toBe(1);
  expect(granted.slice(-2)).toEqual([16, 16]);
});

it("a consumer that receives little keeps one permit, also after a time with much", () => {
  const permits = new Permits({ maxPrefetched: 16, maxUnacknowledged: 100 });
  let granted = permits.take();
  for (let round = 0; round < 8; round++) {
    granted = useAll(permits, granted);
  }
  expect(granted).toBe(16);
  for (let message = 1; message <= 20; message++) {
    permits.arrive(message * (QUIET_MS + 1));
    permits.handOut();
    granted += permits.take() - 1;
    permits.acknowledge();
    granted += permits.take();
  }
  expect(granted).toBe(1);
});
