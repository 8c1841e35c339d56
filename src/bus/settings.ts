import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import type { Metrics } from "../lib/metrics.ts";
import type { Random } from "../lib/random.ts";

/** Where the bus is, and how to be let in. */
export interface BusSettings {
  /** `memory:`, `ws:` or `wss:` (Pulsar's WebSocket API), `pulsar:` or `pulsar+ssl:` (its binary protocol). */
  readonly url: string;
  /** Pulsar's tenant, which the topics' namespaces are in. */
  readonly tenant: string;
  /** Token that Pulsar asks for. */
  readonly token?: string | undefined;
  /** File with the token, read again at every connect. */
  readonly tokenFile?: string | undefined;
  /** PEM of the authorities that the broker's certificate may come from; unset: those that Node trusts. */
  readonly trustCertsFile?: string | undefined;
  /** Largest payload of a message, in bytes; unset: what fits the limits that a broker has by default. */
  readonly maxMessageBytes?: number | undefined;
  /** URL of Pulsar's admin API; unset: no program uses it. */
  readonly adminUrl?: string | undefined;
}

/** What an adapter of the bus takes from its program. */
export interface BusOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly metrics: Metrics;
  /** Topic that `Bus.check` looks up. */
  readonly probeTopic: string;
}
