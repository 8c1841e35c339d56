import type { BusOptions } from "../../../src/bus/settings.ts";
import { TOPICS } from "../../../src/event/topics.ts";
import { createSystemClock } from "../../../src/lib/clock.ts";
import { createSystemRandom } from "../../../src/lib/random.ts";
import { noMetrics } from "../../../src/lib/telemetry.ts";
import { createTestLog } from "../vitest/test-log.ts";

/** Dependencies of a bus in tests that check neither logs nor metrics. */
export const busDependencies: BusOptions = {
  clock: createSystemClock(),
  random: createSystemRandom(),
  log: createTestLog("bus"),
  metrics: noMetrics,
  probeTopic: TOPICS.events,
};
