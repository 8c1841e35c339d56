import { DEAD_LETTER_SUBSCRIPTION, INGESTER_SUBSCRIPTION, TOPICS } from "../../event/topics.ts";
import { sleepUnlessAborted } from "../../lib/abort.ts";
import { ConfigError, RetryableError } from "../../lib/errors.ts";
import type { Log } from "../../lib/log.ts";
import { createOutageLog, type OutageLog } from "../../lib/outage-log.ts";
import type { Runtime } from "../../main/runtime.ts";
import type { ReadinessCheck } from "../../telemetry/serve-probes.ts";
import type { Bus } from "../bus.ts";
import type { BrokerLimits, PulsarAdmin, SubscriptionStats } from "./admin/pulsar-admin.ts";
import { isHeldBack } from "./is-held-back.ts";
import { toMaxFrameBytes } from "./websocket/frame-limit.ts";

/** What a program learns of its broker by looking at it from the side. */
export interface BrokerWatch {
  /** Whether the broker takes messages as large as this program sends. */
  readonly limits: ReadinessCheck;
  /** Looks again and again until `signal` aborts. */
  run(signal: AbortSignal): Promise<void>;
}

/** What the watch needs. */
export interface BrokerWatchOptions {
  readonly admin: PulsarAdmin;
  readonly bus: Bus;
  readonly isWebSocket: boolean;
  readonly runtime: Runtime;
  /** Is told when the broker holds events back for no reason: who joins anew sets it going ({@link isHeldBack}). */
  readonly onHeldBack?: ((reason: string) => void) | undefined;
}

/** Time between two looks, in milliseconds. */
const INTERVAL_MS = 15_000;

/** Watches the backlogs, as metrics, and the broker's limits. What it cannot see it leaves out. */
export function watchBroker(options: BrokerWatchOptions): BrokerWatch {
  const { admin, bus, isWebSocket, runtime, onHeldBack } = options;
  const { clock, log, metrics } = runtime;
  let events: number | undefined;
  let deadLetters: number | undefined;
  let problem: string | undefined;
  let partitions: readonly SubscriptionStats[] = [];
  metrics.gauge("evenkeel_bus_backlog_messages", "Events that no ingester has applied yet", () => events);
  metrics.gauge("evenkeel_bus_dead_letters", "Messages in the dead-letter topic", () => deadLetters);

  const lookAtBacklogs = async (signal: AbortSignal): Promise<void> => {
    const count = await admin.countPartitions(signal, TOPICS.events);
    if (count === undefined) {
      throw new RetryableError(`there is no topic ${TOPICS.events}: run "evenkeel admin topics"`);
    }
    const topics = Array.from({ length: count }, (_, index) => `${TOPICS.events}-partition-${index}`);
    const now = await Promise.all(
      topics.map((topic) => admin.readSubscription(signal, topic, INGESTER_SUBSCRIPTION)),
    );
    const heldBack = topics.filter((_, index) => isHeldBack(partitions[index], now[index]));
    if (heldBack.length > 0) {
      onHeldBack?.(`the broker holds events back in ${heldBack.join(", ")}`);
    }
    // Whoever was told has the time between two looks before it is told again.
    partitions = heldBack.length > 0 ? [] : now;
    events = now.reduce((sum, { backlog }) => sum + backlog, 0);
    deadLetters = (await admin.readSubscription(signal, TOPICS.deadLetter, DEAD_LETTER_SUBSCRIPTION)).backlog;
  };
  const lookAtLimits = async (signal: AbortSignal): Promise<void> => {
    problem = compareLimits(await admin.readBrokerLimits(signal), bus.maxMessageBytes, isWebSocket);
  };
  const forgetBacklogs = (): void => {
    events = undefined;
    deadLetters = undefined;
    partitions = [];
  };

  return {
    limits: {
      name: "bus limits",
      async check() {
        if (problem !== undefined) {
          throw new ConfigError(problem);
        }
      },
    },
    async run(signal) {
      // Apart, because the limits take a superuser.
      const looks: readonly Look[] = [
        { take: lookAtBacklogs, forget: forgetBacklogs, outage: createLookLog(log, "backlogs") },
        { take: lookAtLimits, forget: () => {}, outage: createLookLog(log, "limits") },
      ];
      while (!signal.aborted) {
        for (const { take, forget, outage } of looks) {
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
interface Look {
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
