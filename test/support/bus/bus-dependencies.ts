import type { BusOptions } from "../../../src/bus/settings.ts";
import { TOPICS } from "../../../src/event/topics.ts";
import { createSilentLog } from "../../../src/lib/log.ts";
import { noMetrics } from "../../../src/lib/metrics.ts";
import { createSystemClock } from "../../../src/lib/system-clock.ts";
import { createSystemRandom } from "../../../src/lib/system-random.ts";

/** What a bus is opened with in tests that nobody watches. */
export const busDependencies: BusOptions = {
  clock: createSystemClock(),
  random: createSystemRandom(),
  log: createSilentLog(),
  metrics: noMetrics,
  probeTopic: TOPICS.events,
};
