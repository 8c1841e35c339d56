import { Command } from "commander";
import { openPulsarAdmin } from "../../bus/pulsar/admin/create-pulsar-admin.ts";
import type { BrokerLimits } from "../../bus/pulsar/admin/pulsar-admin.ts";
import { applyTopology, type TopologyChanges } from "../../bus/pulsar/topology/apply-topology.ts";
import type { Difference } from "../../bus/pulsar/topology/topology.ts";
import { toMaxFrameBytes } from "../../bus/pulsar/websocket/frames.ts";
import { SESSION_IDLE_MS } from "../../bus/pulsar/websocket/keep-alive.ts";
import type { BusSettings } from "../../bus/settings.ts";
import { toAdminUrl } from "../../config/fields/bus.ts";
import { adminTopicsProgram } from "../../config/programs/admin.ts";
import { createTopology } from "../../event/pulsar-topology.ts";
import { LARGEST_MESSAGE_BYTES } from "../../event/split-batch.ts";
import type { CliContext } from "../context.ts";
import { addConfigOptions, configOf, createOutputOption } from "../options.ts";
import { formatJson, type OutputFormat } from "../output/message.ts";
import { formatTable } from "../output/table.ts";
import { createAdminClusterCommand } from "./admin-cluster.ts";

/** `evenkeel admin ...` */
export function createAdminCommand(context: CliContext): Command {
  return new Command("admin")
    .summary("prepare Pulsar; remove, rename or rebind clusters")
    .description("Prepare Pulsar, and change clusters in Postgres.")
    .addCommand(createAdminTopicsCommand(context))
    .addCommand(createAdminClusterCommand(context));
}

interface AdminTopicsFlags extends ChangeFlags {
  readonly output: OutputFormat;
}

const examples = `
Exits with 0 only if no difference remains.

Examples:
  $ evenkeel admin topics --bus-url ws://pulsar:8080
  $ evenkeel admin topics --bus-url pulsar://pulsar:6650 --bus-admin-url http://pulsar:8080 --dry-run
  $ evenkeel admin topics --bus-url ws://pulsar:8080 --backlog-quota 10GiB --overwrite
`;

/** `evenkeel admin topics` */
function createAdminTopicsCommand(context: CliContext): Command {
  const command = new Command("topics").summary("create and check Pulsar's tenant, topics and policies");
  command
    .description(
      "Create the missing tenant, namespaces, topics, subscriptions and policies in Pulsar, and report " +
        "differences. Safe to repeat and to run concurrently.",
    )
    .option("--dry-run", "Change nothing")
    .option("--overwrite", "Also replace existing values that differ")
    .addOption(createOutputOption())
    .addHelpText("after", examples);
  return addConfigOptions(command, adminTopicsProgram).action(async (flags: AdminTopicsFlags) => {
    const config = configOf(adminTopicsProgram, command, context);
    const admin = await openPulsarAdmin(context, config.bus, toAdminUrl(config.bus));
    const limits = toLimits(config.bus);
    const changes = await applyTopology(context.signal, admin, {
      tenant: config.bus.tenant,
      topology: createTopology({ ...config, limits }),
      mayChange: ({ found }) => !flags.dryRun && (found === undefined || flags.overwrite === true),
    });
    context.print(formatChanges(changes, flags, flags.output));
    if (!changes.hasSeenLimits) {
      context.printError(formatUnseenLimits(limits));
    }
    context.setExitCode(changes.remaining.length === 0 ? 0 : 1);
  });
}

function formatUnseenLimits(limits: Partial<BrokerLimits>): string {
  const { maxMessageBytes, maxTextFrameBytes, sessionIdleMs } = limits;
  const frames =
    maxTextFrameBytes === undefined ? "" : `, webSocketMaxTextFrameSize to at least ${maxTextFrameBytes}`;
  const idle =
    sessionIdleMs === undefined ? "" : `, webSocketSessionIdleTimeoutMillis to at most ${sessionIdleMs}`;
  const message = `maxMessageSize to at least ${maxMessageBytes}`;
  return `Cannot read the broker's limits (superuser only). Set ${message}${frames}${idle}.\n`;
}

/** Returns the limits for the largest object, or the configured ones: larger objects are then quarantined. */
function toLimits({ url, maxMessageBytes = LARGEST_MESSAGE_BYTES }: BusSettings): Partial<BrokerLimits> {
  const largest = Math.min(maxMessageBytes, LARGEST_MESSAGE_BYTES);
  const isWebSocket = url.startsWith("ws");
  return {
    maxMessageBytes: largest,
    ...(isWebSocket && { maxTextFrameBytes: toMaxFrameBytes(largest), sessionIdleMs: SESSION_IDLE_MS }),
  };
}

/** Flags that decide about changes. */
interface ChangeFlags {
  readonly dryRun?: true;
  readonly overwrite?: true;
}

/** Formats the differences, and the action for each. */
function formatChanges(
  { applied, remaining }: TopologyChanges,
  flags: ChangeFlags,
  format: OutputFormat,
): string {
  const rows = [
    ...applied.map((difference) => toRow(difference, difference.found === undefined ? "added" : "replaced")),
    ...remaining.map((difference) => toRow(difference, `left: ${toReason(difference, flags)}`)),
  ];
  if (format !== "table") {
    return formatJson({ differences: rows }, format);
  }
  return rows.length === 0
    ? "Nothing differs.\n"
    : formatTable(
        ["SETTING", "EXPECTED", "FOUND", "ACTION"],
        rows.map(({ what, wanted, found, done }) => [what, wanted, found ?? "", done]),
      );
}

function toRow({ what, wanted, found }: Difference, done: string) {
  return { what, wanted, found, done };
}

function toReason({ remedy, found }: Difference, { overwrite }: ChangeFlags): string {
  if (typeof remedy !== "function") {
    return remedy.advice;
  }
  if (found === undefined) {
    return "would be added";
  }
  return overwrite === true ? "would be replaced" : "set to another value; --overwrite replaces it";
}
