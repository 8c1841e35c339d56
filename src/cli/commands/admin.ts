import { Command } from "commander";
import { openPulsarAdmin } from "../../bus/pulsar/admin/open-pulsar-admin.ts";
import type { BrokerLimits } from "../../bus/pulsar/admin/pulsar-admin.ts";
import { applyTopology, type TopologyChanges } from "../../bus/pulsar/topology/apply-topology.ts";
import type { Difference } from "../../bus/pulsar/topology/difference.ts";
import { toMaxFrameBytes } from "../../bus/pulsar/websocket/frame-limit.ts";
import type { BusSettings } from "../../bus/settings.ts";
import { toAdminUrl } from "../../config/fields/bus.ts";
import { adminTopicsProgram } from "../../config/programs/admin.ts";
import { createTopology } from "../../event/pulsar-topology.ts";
import { LARGEST_MESSAGE_BYTES } from "../../event/split-batch.ts";
import { addConfigOptions, configOf } from "../config-options.ts";
import type { CliContext } from "../context.ts";
import { createOutputOption } from "../options.ts";
import { formatJson, type OutputFormat } from "../output/message.ts";
import { formatTable } from "../output/table.ts";

/** `evenkeel admin ...` */
export function createAdminCommand(context: CliContext): Command {
  return new Command("admin")
    .summary("prepare what the programs need")
    .description("Prepare what the programs need.")
    .addCommand(createAdminTopicsCommand(context));
}

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
function createAdminTopicsCommand(context: CliContext): Command {
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
    const admin = await openPulsarAdmin(context, config.bus, toAdminUrl(config.bus));
    const limits = toLimits(config.bus);
    const mending = await applyTopology(context.signal, admin, {
      tenant: config.bus.tenant,
      topology: createTopology({ ...config, limits }),
      mayChange: ({ found }) => !flags.dryRun && (found === undefined || flags.overwrite === true),
    });
    context.print(formatMending(mending, flags, flags.output));
    if (!mending.hasSeenLimits) {
      context.printError(formatUnseenLimits(limits));
    }
    context.setExitCode(mending.remaining.length === 0 ? 0 : 1);
  });
}

function formatUnseenLimits({ maxMessageBytes, maxTextFrameBytes }: Partial<BrokerLimits>): string {
  const frames =
    maxTextFrameBytes === undefined ? "" : ` and webSocketMaxTextFrameSize at least ${maxTextFrameBytes}`;
  return `The broker shows its limits to superusers only: see to it that maxMessageSize is at least ${maxMessageBytes}${frames}.\n`;
}

/** What the largest object needs; less where less was configured, because then larger ones are quarantined on purpose. */
function toLimits({ url, maxMessageBytes = LARGEST_MESSAGE_BYTES }: BusSettings): Partial<BrokerLimits> {
  const largest = Math.min(maxMessageBytes, LARGEST_MESSAGE_BYTES);
  const isWebSocket = url.startsWith("ws");
  return { maxMessageBytes: largest, ...(isWebSocket && { maxTextFrameBytes: toMaxFrameBytes(largest) }) };
}

/** What was asked for with the mending. */
interface MendingFlags {
  readonly dryRun?: true;
  readonly overwrite?: true;
}

/** What differed, and what was done about it. */
function formatMending(
  { applied: mended, remaining: left }: TopologyChanges,
  flags: MendingFlags,
  format: OutputFormat,
): string {
  const rows = [
    ...mended.map((difference) => toRow(difference, difference.found === undefined ? "added" : "replaced")),
    ...left.map((difference) => toRow(difference, `left: ${toReason(difference, flags)}`)),
  ];
  if (format !== "table") {
    return formatJson({ differences: rows }, format);
  }
  return rows.length === 0
    ? "Everything is as it should be.\n"
    : formatTable(
        ["WHAT", "WANTED", "FOUND", "DONE"],
        rows.map(({ what, wanted, found, done }) => [what, wanted, found ?? "", done]),
      );
}

function toRow({ what, wanted, found }: Difference, done: string) {
  return { what, wanted, found, done };
}

function toReason({ remedy, found }: Difference, { overwrite }: MendingFlags): string {
  if (typeof remedy !== "function") {
    return remedy.advice;
  }
  if (found === undefined) {
    return "would be added";
  }
  return overwrite === true ? "would be replaced" : "somebody has set it; --overwrite replaces it";
}
