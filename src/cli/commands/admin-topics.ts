import { Command } from "commander";
import { openPulsarAdmin } from "../../bus/pulsar/admin/open-pulsar-admin.ts";
import type { BrokerLimits } from "../../bus/pulsar/admin/pulsar-admin.ts";
import { mendTopology } from "../../bus/pulsar/topology/apply-topology.ts";
import { createTopology } from "../../bus/pulsar/topology/topology.ts";
import { toMaxFrameBytes } from "../../bus/pulsar/websocket/frame-limit.ts";
import type { BusConfig } from "../../config/fields/bus.ts";
import { adminTopicsProgram } from "../../config/programs/admin.ts";
import { LARGEST_MESSAGE_BYTES } from "../../event/split-batch.ts";
import { addConfigOptions, configOf } from "../config-options.ts";
import type { CliContext } from "../context.ts";
import type { OutputFormat } from "../output/message.ts";
import { createOutputOption } from "../output-option.ts";
import { formatMending, type MendingFlags } from "./format-mending.ts";

interface AdminTopicsFlags extends MendingFlags {
  readonly output: OutputFormat;
}

const examples = `
Exits with 0 only when all is as it should be.

Examples:
  $ evenkeel admin topics --bus-url ws://pulsar:8080
  $ evenkeel admin topics --bus-url pulsar://pulsar:6650 --bus-admin-url http://pulsar:8080 --dry-run
  $ evenkeel admin topics --bus-url ws://pulsar:8080 --backlog-quota 10GiB --overwrite
`;

/** `evenkeel admin topics` */
export function createAdminTopicsCommand(context: CliContext): Command {
  const command = new Command("topics").summary("make and check Pulsar's tenant, topics and policies");
  command
    .description(
      "Make what is missing of the tenant, its namespaces, topics, subscriptions and policies in Pulsar, and say what is not as it should be. Safe to repeat, and to run twice at once.",
    )
    .option("--dry-run", "change nothing")
    .option("--overwrite", "also change what somebody has set to something else")
    .addOption(createOutputOption("How to print"))
    .addHelpText("after", examples);
  return addConfigOptions(command, adminTopicsProgram).action(async (flags: AdminTopicsFlags) => {
    const config = configOf(adminTopicsProgram, command, context);
    const admin = await openPulsarAdmin(context, config.bus);
    const limits = toLimits(config.bus);
    const mending = await mendTopology(context.signal, admin, {
      tenant: config.bus.tenant,
      topology: createTopology({ ...config, limits }),
      mayChange: ({ found }) => !flags.dryRun && (found === undefined || flags.overwrite === true),
    });
    context.print(formatMending(mending, flags, flags.output));
    if (!mending.hasSeenLimits) {
      context.tell(formatUnseenLimits(limits));
    }
    context.setExitCode(mending.left.length === 0 ? 0 : 1);
  });
}

function formatUnseenLimits({ maxMessageBytes, maxTextFrameBytes }: Partial<BrokerLimits>): string {
  const frames =
    maxTextFrameBytes === undefined ? "" : ` and webSocketMaxTextFrameSize at least ${maxTextFrameBytes}`;
  return `The broker shows its limits to superusers only: see to it that maxMessageSize is at least ${maxMessageBytes}${frames}.\n`;
}

/** What the largest object needs; less where less was configured, because then larger ones are quarantined on purpose. */
function toLimits({ url, maxMessageBytes = LARGEST_MESSAGE_BYTES }: BusConfig): Partial<BrokerLimits> {
  const largest = Math.min(maxMessageBytes, LARGEST_MESSAGE_BYTES);
  const isWebSocket = url.startsWith("ws");
  return { maxMessageBytes: largest, ...(isWebSocket && { maxTextFrameBytes: toMaxFrameBytes(largest) }) };
}
