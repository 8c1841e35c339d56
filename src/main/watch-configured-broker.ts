import type { Bus } from "../bus/bus.ts";
import { openPulsarAdmin } from "../bus/pulsar/admin/open-pulsar-admin.ts";
import { type BrokerWatch, type BrokerWatchOptions, watchBroker } from "../bus/pulsar/broker-monitor.ts";
import type { BusConfig } from "../config/fields/bus.ts";
import type { Runtime } from "./runtime.ts";

/** Watches the broker where its admin API is configured. */
export async function watchConfiguredBroker(
  config: BusConfig,
  bus: Bus,
  runtime: Runtime,
  onHeldBack: BrokerWatchOptions["onHeldBack"],
): Promise<BrokerWatch | undefined> {
  if (config.adminUrl === undefined) {
    return undefined;
  }
  const admin = await openPulsarAdmin(runtime, config);
  return watchBroker({ admin, bus, isWebSocket: config.url.startsWith("ws"), runtime, onHeldBack });
}
