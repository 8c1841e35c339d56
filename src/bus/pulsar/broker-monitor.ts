import { sleepUnlessAborted } from "../../lib/abort.ts";
import type { Clock } from "../../lib/clock.ts";
import { ConfigError, RetryableError } from "../../lib/errors.ts";
import { createOutageLog, type Log, type OutageLog } from "../../lib/log.ts";
import type { Metrics } from "../../lib/telemetry.ts";
import type { Bus } from "../bus.ts";
import type { BrokerLimits, PulsarAdmin, SubscriptionStats } from "./admin/pulsar-admin.ts";
import { toMaxFrameBytes } from "./websocket/frames.ts";

/** Observes the broker through its admin API: backlogs as metrics, limits, and stalled subscriptions. */
export interface BrokerMonitor {
  /**
   * Asserts that the broker accepts the largest messages of this program, by the last poll.
   *
   * @throws ConfigError if a limit of the broker is too low.
   */
  assertLimits(): void;
  /** Polls the broker until `signal` aborts. */
  run(signal: AbortSignal): Promise<void>;
}

/** A subscription and its topic, with their names in `Bus`. */
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
  /** Called when a subscription stalls. A new consumer ends the stall. */
  readonly onStall?: ((reason: string) => void) | undefined;
}

/** Time between two polls, in milliseconds. */
const INTERVAL_MS = 15_000;

/** Creates a monitor. A figure that the broker does not return has no metric. */
export function createBrokerMonitor(options: BrokerMonitorOptions): BrokerMonitor {
  const { admin, bus, isWebSocket, events, deadLetters, clock, log, metrics, onStall } = options;
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
      throw new RetryableError(`the topic ${events.topic} does not exist; run "evenkeel admin topics"`);
    }
    const topics = Array.from({ length: count }, (_, index) => `${events.topic}-partition-${index}`);
    const now = await Promise.all(
      topics.map((topic) => admin.readSubscription(signal, topic, events.subscription)),
    );
    const stalled = topics.filter((_, index) => isSubscriptionStalled(partitions[index], now[index]));
    if (stalled.length > 0) {
      onStall?.(`the subscription ${events.subscription} has stalled on ${stalled.join(", ")}`);
    }
    // After a report, one poll without a comparison leaves time for the restart of the consumer.
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
      // Separate polls, because the limits require a superuser.
      const polls: readonly Poll[] = [
        { take: pollBacklogs, forget: forgetBacklogs, outage: createPollLog(log, "backlogs") },
        { take: pollLimits, forget: () => {}, outage: createPollLog(log, "limits") },
      ];
      while (!signal.aborted) {
        for (const { take, forget, outage } of polls) {
          try {
            await take(signal);
            outage.worked();
          } catch (error) {
            forget();
            if (!signal.aborted) {
              // A token without the permission is no fault, and a retry does not add the permission.
              outage.failed(error, error instanceof RetryableError ? "warn" : "info");
            }
          }
        }
        await sleepUnlessAborted(signal, clock, INTERVAL_MS);
      }
    },
  };
}

/** A repeated poll of one part of the broker. */
interface Poll {
  take(signal: AbortSignal): Promise<void>;
  /** Discards the last result, which is unknown after a failure. */
  forget(): void;
  readonly outage: OutageLog;
}

function createPollLog(log: Log, what: string): OutageLog {
  return createOutageLog(log, {
    failed: `broker ${what} not read`,
    worked: `broker ${what} read again`,
  });
}

/**
 * Returns the limit below the largest messages of this program, as an error text; undefined if there is none.
 */
function compareLimits(
  { maxMessageBytes, maxTextFrameBytes }: BrokerLimits,
  sent: number,
  isWebSocket: boolean,
): string | undefined {
  const frame = toMaxFrameBytes(sent);
  if (maxMessageBytes < sent) {
    return (
      `the broker's maxMessageSize is too low: expected ${sent} bytes, found ${maxMessageBytes}; ` +
      "raise it, or lower --bus-max-message"
    );
  }
  return isWebSocket && maxTextFrameBytes < frame
    ? `the broker's webSocketMaxTextFrameSize is too low: expected ${frame} bytes, ` +
        `found ${maxTextFrameBytes}; raise it, or lower --bus-max-message`
    : undefined;
}

/**
 * True if the broker stopped deliveries without a reason. In two polls some seconds apart, messages wait for
 * delivery, no consumer has unacknowledged messages that would delay them, and the broker delivered none in
 * between.
 *
 * Observed with Pulsar 4.0.8 in quiet partitions, after consumers had joined and left. The cause is probably
 * apache/pulsar#26236 (fixed in 2026): at the end of a topic the Key_Shared dispatcher waits for the next
 * message, and forgets the messages that it has put back. A consumer that joins restarts it.
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
