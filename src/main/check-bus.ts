import type { Bus } from "../bus/bus.ts";
import type { ReadinessCheck } from "../telemetry/serve-probes.ts";

/** Whether the broker can be reached. */
export function checkBus(bus: Bus): ReadinessCheck {
  return { name: "bus", check: (signal) => bus.check(signal) };
}
