import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createBrokerAdmin } from "./broker-admin.ts";
import { type BrokerDistribution, provideBroker } from "./broker-distribution.ts";
import { type BrokerSettings, localBrokerSettings, writeStandaloneConf } from "./broker-settings.ts";
import { freePort } from "./free-port.ts";
import type { Reaper } from "./reaper.ts";
import { type ServerProcess, startServerProcess } from "./server-process.ts";

/** Addresses of a broker, as JSON between processes. */
export interface BrokerAddress {
  /** URL such as `ws://127.0.0.1:40123`. */
  readonly webSocketUrl: string;
  /** URL such as `pulsar://127.0.0.1:40124`. */
  readonly serviceUrl: string;
  /** URL such as `http://127.0.0.1:40123`. */
  readonly adminUrl: string;
  /** A tenant with the namespaces `main` and `replies`. */
  readonly tenant: string;
}

/** A running broker, with its metadata and storage in the same process. */
export interface Broker extends BrokerAddress {
  /** Returns the ID of the present process. */
  processId(): number;
  /**
   * Stops the broker and starts it again with its data on the same ports. It is a graceful stop: after a kill, its only
   * bookie may have lost acknowledged messages or may not start again.
   */
  restart(whileDown?: () => Promise<void>): Promise<void>;
  /** Ends the broker and removes its data. */
  stop(): Promise<void>;
}

export interface BrokerOptions {
  readonly distribution: BrokerDistribution;
  readonly reaper: Reaper;
  /** Settings in addition to {@link localBrokerSettings}. */
  readonly settings?: BrokerSettings;
  /** Token of a superuser, for settings with authentication. */
  readonly adminToken?: string;
}

const tenant = "evenkeel";

/** Small heap and fast start at the price of later speed: otherwise compilation takes half of the start. */
const environment = {
  PULSAR_MEM: "-Xms128m -Xmx1g -XX:MaxDirectMemorySize=512m",
  PULSAR_GC: "-XX:+UseSerialGC -XX:TieredStopAtLevel=1 -XX:+PerfDisableSharedMem",
  PULSAR_GC_LOG: "-Xlog:disable",
  PULSAR_LOG_LEVEL: "warn",
};

/**
 * Starts a broker with its own configuration, data and logs, on free ports of the loopback interface. Downloads Pulsar
 * first if it is not in the cache.
 */
export async function startBroker(options: BrokerOptions): Promise<Broker> {
  const { distribution, reaper, settings, adminToken } = options;
  await provideBroker(distribution);
  const directory = mkdtempSync(join(tmpdir(), "evenkeel-broker-"));
  const leftover = { type: "dir", path: directory } as const;
  reaper.add(leftover);
  const ports = { binary: await freePort(), web: await freePort() };
  const conf = join(directory, "standalone.conf");
  writeFileSync(
    conf,
    writeStandaloneConf(distribution.directory, { ...localBrokerSettings(ports), ...settings }),
  );
  mkdirSync(join(directory, "tmp"));
  const address: BrokerAddress = {
    webSocketUrl: `ws://127.0.0.1:${ports.web}`,
    serviceUrl: `pulsar://127.0.0.1:${ports.binary}`,
    adminUrl: `http://127.0.0.1:${ports.web}`,
    tenant,
  };
  const admin = createBrokerAdmin(address.adminUrl, adminToken);
  const start = (): Promise<ServerProcess> =>
    startServerProcess({
      command: join(distribution.directory, "bin", "pulsar"),
      args: standaloneArgs(directory, conf),
      reaper,
      // Acknowledged messages are durable only after a graceful stop, because its bookie does not sync to the disk.
      stopTimeoutMs: 60_000,
      env: {
        ...process.env,
        ...environment,
        PULSAR_STANDALONE_CONF: conf,
        PULSAR_LOG_DIR: join(directory, "logs"),
        PULSAR_EXTRA_OPTS: `-Djava.io.tmpdir=${join(directory, "tmp")}`,
      },
      isReady: () => admin.isHealthy(),
    });
  let running = await start();
  await admin.createNamespaces(tenant, ["main", "replies"]);
  return {
    ...address,
    processId: () => running.processId,
    async restart(whileDown = async () => {}) {
      await running.stop();
      await whileDown();
      running = await start();
    },
    async stop() {
      // A graceful stop would write data that is removed anyway.
      await running.kill();
      rmSync(directory, { recursive: true, force: true });
      reaper.remove(leftover);
    },
  };
}

function standaloneArgs(directory: string, conf: string): string[] {
  const withoutFunctionsAndStreams = ["--no-functions-worker", "--no-stream-storage"];
  return [
    "standalone",
    ...withoutFunctionsAndStreams,
    "--config",
    conf,
    "--advertised-address",
    "127.0.0.1",
    "--metadata-dir",
    join(directory, "metadata"),
    "--bookkeeper-dir",
    join(directory, "bookkeeper"),
  ];
}
