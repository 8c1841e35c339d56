import { readFileSync } from "node:fs";
import { networkInterfaces } from "node:os";
import { join } from "node:path";
import { SESSION_IDLE_MS } from "../../../src/bus/pulsar/websocket/keep-alive.ts";

/** Settings of Pulsar's `standalone.conf` by name. */
export type BrokerSettings = Readonly<Record<string, string | number | boolean>>;

/**
 * Returns settings that make the ports of a broker and its bookie reachable from this machine only. A text frame of the
 * WebSocket API can hold the broker's largest message (5 MiB, in base64). A consumer whose connection was lost without
 * notice keeps its keys until the idle timeout, which is longer than two pings of the programs.
 *
 * The bookie selects a free port. The transport inside the process (`enableLocalTransport`) would be faster, but it
 * never answers when a backlog of messages of about 30 KB is read.
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
    webSocketSessionIdleTimeoutMillis: SESSION_IDLE_MS,
  };
}

/** Returns the distribution's `standalone.conf` with these settings. */
export function writeStandaloneConf(distribution: string, settings: BrokerSettings): string {
  const original = readFileSync(join(distribution, "conf", "standalone.conf"), "utf8");
  const isReplaced = (line: string): boolean => (/^(\w+)=/.exec(line)?.[1] ?? "") in settings;
  const others = original.split("\n").filter((line) => !isReplaced(line));
  return [...others, ...Object.entries(settings).map(([name, value]) => `${name}=${value}`), ""].join("\n");
}

/** Returns the name of the loopback interface: `lo` or `lo0`. */
function findLoopbackInterface(): string {
  const found = Object.entries(networkInterfaces()).find(([, addresses]) =>
    addresses?.some(({ address }) => address === "127.0.0.1"),
  );
  return found?.[0] ?? "lo";
}
