import type { Bus } from "../bus/bus.ts";
import { openPulsarAdmin } from "../cli/open-pulsar-admin.ts";
import type { BusConfig } from "../config/bus-fields.ts";
import type { Runtime } from "./runtime.ts";
import { type BrokerWatch, type BrokerWatchOptions, watchBroker } from "./watch-broker.ts";

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
