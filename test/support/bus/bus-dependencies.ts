import type { BusOptions } from "../../../src/bus/settings.ts";
import { TOPICS } from "../../../src/event/topics.ts";
import { createSilentLog } from "../../../src/lib/log.ts";
import { noMetrics } from "../../../src/lib/metrics.ts";
import { createSystemClock } from "../../../src/lib/system-clock.ts";
import { createSystemRandom } from "../../../src/lib/system-random.ts";

/** Dependencies of a bus in tests that check neither logs nor metrics. */
export const busDependencies: BusOptions = {
  clock: createSystemClock(),
  random: createSystemRandom(),
  log: createSilentLog(),
  metrics: noMetrics,
  probeTopic: TOPICS.events,
};
