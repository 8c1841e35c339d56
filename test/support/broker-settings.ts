import { readFileSync } from "node:fs";
import { join } from "node:path";

/** Settings of Pulsar's `standalone.conf` by name. */
export type BrokerSettings = Readonly<Record<string, string | number | boolean>>;

/**
 * Settings of a broker on this machine alone. The bookie is reached inside the process, so that it needs no port, and
 * a text frame of the WebSocket API may hold the largest message that the broker takes (5 MiB, in base64).
 */
export function localBrokerSettings(ports: {
  readonly binary: number;
  readonly web: number;
}): BrokerSettings {
  return {
    brokerServicePort: ports.binary,
    webServicePort: ports.web,
    bindAddress: "127.0.0.1",
    advertisedAddress: "127.0.0.1",
    enableLocalTransport: true,
    disableServerSocketBind: true,
    webSocketMaxTextFrameSize: 8 * 1024 * 1024,
  };
}

/** The distribution's own `standalone.conf` with these settings in place of its own. */
export function writeStandaloneConf(distribution: string, settings: BrokerSettings): string {
  const original = readFileSync(join(distribution, "conf", "standalone.conf"), "utf8");
  const isReplaced = (line: string): boolean => (/^(\w+)=/.exec(line)?.[1] ?? "") in settings;
  const others = original.split("\n").filter((line) => !isReplaced(line));
  return [...others, ...Object.entries(settings).map(([name, value]) => `${name}=${value}`), ""].join("\n");
}
