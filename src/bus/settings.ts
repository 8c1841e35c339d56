import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import type { Random } from "../lib/random.ts";
import type { Metrics } from "../lib/telemetry.ts";

/** Address and credentials of the bus. */
export interface BusSettings {
  /**
   * `memory:`, `ws:` or `wss:` (Pulsar's WebSocket API), `pulsar:` or `pulsar+ssl:` (its binary protocol).
   */
  readonly url: string;
  /** Pulsar tenant with the namespaces of the topics. */
  readonly tenant: string;
  /** Token for Pulsar. */
  readonly token?: string | undefined;
  /** File with the token. It is read at every connect. */
  readonly tokenFile?: string | undefined;
  /** PEM file of the authorities to trust for the broker's certificate; unset: those that Node trusts. */
  readonly trustCertsFile?: string | undefined;
  /** Largest payload of a message, in bytes; unset: a size that fits the default limits of a broker. */
  readonly maxMessageBytes?: number | undefined;
  /** URL of Pulsar's admin API; unset: only the number of partitions is read, at the host of a WebSocket URL. */
  readonly adminUrl?: string | undefined;
}

export interface BusOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly metrics: Metrics;
  /** Topic of the lookup in `Bus.check`. */
  readonly probeTopic: string;
}
