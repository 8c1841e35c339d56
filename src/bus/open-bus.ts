import { ConfigError } from "../lib/errors.ts";
import type { Bus } from "./bus.ts";
import type { BusDependencies, BusSettings } from "./bus-settings.ts";

/**
 * Opens the bus that the URL's scheme names; an adapter is loaded when it is asked for. Connects to nothing yet.
 *
 * @throws ConfigError for a scheme that there is no adapter for.
 */
export async function openBus(settings: BusSettings, dependencies: BusDependencies): Promise<Bus> {
  const scheme = URL.parse(settings.url)?.protocol;
  switch (scheme) {
    case "memory:": {
      const { createMemoryBus } = await import("./memory-bus.ts");
      const { maxMessageBytes } = settings;
      return createMemoryBus(maxMessageBytes === undefined ? {} : { maxMessageBytes });
    }
    case "ws:":
    case "wss:": {
      const { createPulsarWebSocketBus } = await import("./pulsar-websocket/create-pulsar-websocket-bus.ts");
      return createPulsarWebSocketBus(settings, dependencies);
    }
    case "pulsar:":
    case "pulsar+ssl:":
      throw new ConfigError(
        `this build has no adapter for ${scheme}//: use Pulsar's WebSocket API, ws:// or wss:// and its port`,
      );
    default:
      throw new ConfigError(
        `the bus URL has the scheme ${JSON.stringify(scheme ?? "")}: expected memory:, ws:, wss:, pulsar: or pulsar+ssl:`,
      );
  }
}
