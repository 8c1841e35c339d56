import type { Command } from "commander";
import { openBus } from "../../bus/open-bus.ts";
import { openPulsarAdmin } from "../../bus/pulsar/admin/create-pulsar-admin.ts";
import { toAdminUrl } from "../../config/fields/bus.ts";
import { dlqProgram } from "../../config/programs/admin.ts";
import { createDeadLetterQueue, type DeadLetterQueue } from "../../event/dead-letter.ts";
import { DEAD_LETTER_SUBSCRIPTION, TOPICS } from "../../event/topics.ts";
import { NotFoundError } from "../../lib/errors.ts";
import { createSilentLog } from "../../lib/log.ts";
import { createSystemRandom } from "../../lib/random.ts";
import { noMetrics } from "../../lib/telemetry.ts";
import type { CliContext } from "../context.ts";
import { configOf } from "../options.ts";

/** Opens the dead letters of the bus in a command's flags; disposal closes the connections. */
export async function openDeadLetters(
  command: Command,
  context: CliContext,
): Promise<DeadLetterQueue & AsyncDisposable> {
  const { bus: config } = configOf(dlqProgram, command, context);
  const admin = await openPulsarAdmin(context, config, toAdminUrl(config));
  const { clock } = context;
  // Errors are thrown, and the caller prints them.
  const log = createSilentLog();
  const bus = await openBus(config, {
    clock,
    random: createSystemRandom(),
    log,
    metrics: noMetrics,
    probeTopic: TOPICS.deadLetter,
  });
  const count = async (signal: AbortSignal): Promise<number> => {
    try {
      return (await admin.readSubscription(signal, TOPICS.deadLetter, DEAD_LETTER_SUBSCRIPTION)).backlog;
    } catch (cause) {
      throw cause instanceof NotFoundError
        ? new NotFoundError(`${cause.message}; create the topics with "evenkeel admin topics"`, { cause })
        : cause;
    }
  };
  return { ...createDeadLetterQueue({ bus, clock, count }), [Symbol.asyncDispose]: () => bus.close() };
}
