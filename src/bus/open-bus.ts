import { ConfigError } from "../lib/errors.ts";
import type { Bus } from "./bus.ts";
import type { BusOptions, BusSettings } from "./settings.ts";

/**
 * Opens the bus that the URL's scheme names, without a connection. Only the adapter of that scheme is
 * imported.
 *
 * @throws ConfigError for an unknown scheme, or if the adapter cannot be loaded on this machine.
 */
export async function openBus(settings: BusSettings, dependencies: BusOptions): Promise<Bus> {
  const scheme = URL.parse(settings.url)?.protocol;
  switch (scheme) {
    case "memory:": {
      const { createMemoryBus } = await import("./memory/memory-bus.ts");
      const { maxMessageBytes } = settings;
      return createMemoryBus(maxMessageBytes === undefined ? {} : { maxMessageBytes });
    }
    case "ws:":
    case "wss:": {
      const { createPulsarWebSocketBus } = await import("./pulsar/websocket/create-pulsar-websocket-bus.ts");
      return createPulsarWebSocketBus(settings, dependencies);
    }
    case "pulsar:":
    case "pulsar+ssl:": {
      const { loadPulsarClient } = await import("./pulsar/native/load-pulsar-client.ts");
      const { createPulsarNativeBus } = await import("./pulsar/native/create-pulsar-native-bus.ts");
      return createPulsarNativeBus(settings, dependencies, await loadPulsarClient());
    }
    default:
      throw new ConfigError(
        `the bus URL must have the scheme memory:, ws:, wss:, pulsar: or pulsar+ssl:, ` +
          `found ${JSON.stringify(scheme ?? "")}`,
      );
  }
}
