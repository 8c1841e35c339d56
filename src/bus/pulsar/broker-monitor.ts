import { sleepUnlessAborted } from "../../lib/abort.ts";
import type { Clock } from "../../lib/clock.ts";
import { ConfigError, RetryableError } from "../../lib/errors.ts";
import type { Log } from "../../lib/log.ts";
import type { Metrics } from "../../lib/metrics.ts";
import { createOutageLog, type OutageLog } from "../../lib/outage-log.ts";
import type { Bus } from "../bus.ts";
import type { BrokerLimits, PulsarAdmin, SubscriptionStats } from "./admin/pulsar-admin.ts";
import { toMaxFrameBytes } from "./websocket/frame-limit.ts";

/** Observes the broker through its admin API: backlogs as metrics, limits, and stalled subscriptions. */
export interface BrokerMonitor {
  /** Throws `ConfigError` if the broker was last seen with a limit below what this program sends. */
  assertLimits(): void;
  /** Polls the broker until `signal` aborts. */
  run(signal: AbortSignal): Promise<void>;
}

/** A subscription of a topic, both named as in `Bus`. */
export interface MonitoredSubscription {
  readonly topic: string;
  readonly subscription: string;
}

export interface BrokerMonitorOptions {
  readonly admin: PulsarAdmin;
  readonly bus: Bus;
  readonly isWebSocket: boolean;
  /** Partitioned topic of the events. */
  readonly events: MonitoredSubscription;
  /** Topic of the dead letters. */
  readonly deadLetters: MonitoredSubscription;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  /** Called when the broker stops handing out events for no reason; a new consumer sets it going again. */
  readonly onStall?: ((reason: string) => void) | undefined;
}

/** Time between two looks, in milliseconds. */
const INTERVAL_MS = 15_000;

/** Watches the backlogs, as metrics, and the broker's limits. What it cannot see it leaves out. */
export function createBrokerMonitor(options: BrokerMonitorOptions): BrokerMonitor {
  const { admin, bus, isWebSocket, events, deadLetters, clock, log, metrics, onStall: onHeldBack } = options;
  let eventBacklog: number | undefined;
  let deadLetterBacklog: number | undefined;
  let problem: string | undefined;
  let partitions: readonly SubscriptionStats[] = [];
  metrics.gauge(
    "evenkeel_bus_backlog_messages",
    "Events that no ingester has applied yet",
    () => eventBacklog,
  );
  metrics.gauge("evenkeel_bus_dead_letters", "Messages in the dead-letter topic", () => deadLetterBacklog);

  const pollBacklogs = async (signal: AbortSignal): Promise<void> => {
    const count = await admin.countPartitions(signal, events.topic);
    if (count === undefined) {
      throw new RetryableError(`there is no topic ${events.topic}: run "evenkeel admin topics"`);
    }
    const topics = Array.from({ length: count }, (_, index) => `${events.topic}-partition-${index}`);
    const now = await Promise.all(
      topics.map((topic) => admin.readSubscription(signal, topic, events.subscription)),
    );
    const stalled = topics.filter((_, index) => isSubscriptionStalled(partitions[index], now[index]));
    if (stalled.length > 0) {
      onHeldBack?.(`the broker holds events back in ${stalled.join(", ")}`);
    }
    // Whoever was told has the time between two looks before it is told again.
    partitions = stalled.length > 0 ? [] : now;
    eventBacklog = now.reduce((sum, { backlog }) => sum + backlog, 0);
    const { topic, subscription } = deadLetters;
    deadLetterBacklog = (await admin.readSubscription(signal, topic, subscription)).backlog;
  };
  const pollLimits = async (signal: AbortSignal): Promise<void> => {
    problem = compareLimits(await admin.readBrokerLimits(signal), bus.maxMessageBytes, isWebSocket);
  };
  const forgetBacklogs = (): void => {
    eventBacklog = undefined;
    deadLetterBacklog = undefined;
    partitions = [];
  };

  return {
    assertLimits() {
      if (problem !== undefined) {
        throw new ConfigError(problem);
      }
    },
    async run(signal) {
      // Apart, because the limits take a superuser.
      const polls: readonly Poll[] = [
        { take: pollBacklogs, forget: forgetBacklogs, outage: createLookLog(log, "backlogs") },
        { take: pollLimits, forget: () => {}, outage: createLookLog(log, "limits") },
      ];
      while (!signal.aborted) {
        for (const { take, forget, outage } of polls) {
          try {
            await take(signal);
            outage.worked();
          } catch (error) {
            forget();
            if (!signal.aborted) {
              // A token without the right to look will not get it by asking: that is no fault.
              outage.failed(error, error instanceof RetryableError ? "warn" : "info");
            }
          }
        }
        await sleepUnlessAborted(signal, clock, INTERVAL_MS);
      }
    },
  };
}

/** Something that is looked at again and again. */
interface Poll {
  take(signal: AbortSignal): Promise<void>;
  /** What was seen last is not so any more, as far as anybody knows. */
  forget(): void;
  readonly outage: OutageLog;
}

function createLookLog(log: Log, what: string): OutageLog {
  return createOutageLog(log, {
    failed: `the broker's ${what} cannot be seen`,
    worked: `the broker's ${what} are seen again`,
  });
}

/** What is too small, if something is: messages would be refused that this program takes for small enough. */
function compareLimits(
  { maxMessageBytes, maxTextFrameBytes }: BrokerLimits,
  sent: number,
  isWebSocket: boolean,
): string | undefined {
  const frame = toMaxFrameBytes(sent);
  if (maxMessageBytes < sent) {
    return `the broker takes messages of ${maxMessageBytes} bytes (maxMessageSize), expected ${sent}: raise it, or lower --bus-max-message`;
  }
  return isWebSocket && maxTextFrameBytes < frame
    ? `the broker takes frames of ${maxTextFrameBytes} bytes (webSocketMaxTextFrameSize), expected ${frame}: raise it, or lower --bus-max-message`
    : undefined;
}

/**
 * Whether a broker holds messages back for no reason, as seen by two looks some seconds apart: some wait to be handed
 * out, no consumer has any that would have to be acknowledged before, and nothing was handed out since.
 *
 * Seen of Pulsar 4.0.8 in quiet partitions, after consumers had come and gone. It looks like apache/pulsar#26236 (mended in
 * 2026): at the end of a topic the Key_Shared dispatcher waits for the next message, and forgets those that it has put back.
 * A consumer that joins sets it going.
 */
export function isSubscriptionStalled(
  before: SubscriptionStats | undefined,
  now: SubscriptionStats | undefined,
): boolean {
  return (
    before !== undefined &&
    now !== undefined &&
    [before, now].every(({ inReplay, unacknowledged }) => inReplay > 0 && unacknowledged === 0) &&
    before.delivered === now.delivered
  );
}
