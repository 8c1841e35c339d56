import { readFileSync } from "node:fs";
import { networkInterfaces } from "node:os";
import { join } from "node:path";

/** Settings of Pulsar's `standalone.conf` by name. */
export type BrokerSettings = Readonly<Record<string, string | number | boolean>>;

/**
 * Settings of a broker that nobody outside this machine reaches, neither its ports nor its bookie's. A text frame of
 * the WebSocket API may hold the largest message that the broker takes (5 MiB, in base64).
 *
 * The bookie takes a free port by itself. Reached inside the process without one (`enableLocalTransport`) it would be
 * quicker, but never answers when a backlog of messages of some 30 KB is read.
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
    listeningInterface: findLoopbackInterface(),
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

/** What the system calls it: `lo`, `lo0`. */
function findLoopbackInterface(): string {
  const found = Object.entries(networkInterfaces()).find(([, addresses]) =>
    addresses?.some(({ address }) => address === "127.0.0.1"),
  );
  return found?.[0] ?? "lo";
}
