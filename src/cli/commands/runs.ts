import { create } from "@bufbuild/protobuf";
import { Command } from "commander";
import { ListReconciliationRunsResponseSchema } from "../../../gen/proto/evenkeel/v1/fleet_service_pb.ts";
import type { CliContext } from "../context.ts";
import { addClientOptions, readAllPages, toClientCall } from "../fleet-client.ts";
import { createLimitOption } from "../options.ts";
import { formatMessage } from "../output/message.ts";
import { formatRuns, printRun } from "../output/run.ts";

/** `evenkeel runs [CLUSTER]` */
export function createRunsCommand(context: CliContext): Command {
  const command = new Command("runs").summary("list reconciliation runs");
  command
    .description("List reconciliation runs, newest first.")
    .argument("[cluster]", "Name of a cluster; unset: all clusters", "")
    .addOption(createLimitOption(20))
    .addHelpText("after", "\nExamples:\n  $ evenkeel runs\n  $ evenkeel runs dev --limit 5 --output yaml\n");
  return addClientOptions(command).action(async (cluster: string, { limit }: { limit: number }) => {
    const { client, format } = await toClientCall(command, context);
    const runs = await readAllPages(limit, async (pageSize, pageToken) => {
      const request = { cluster, pageSize, pageToken };
      const page = await client.listReconciliationRuns(request, { signal: context.signal });
      return { items: page.runs, nextPageToken: page.nextPageToken };
    });
    const response = create(ListReconciliationRunsResponseSchema, { runs });
    context.print(
      format === "table"
        ? formatRuns(context.clock.now(), runs)
        : formatMessage(ListReconciliationRunsResponseSchema, response, format),
    );
  });
}

const EXAMPLES = `
Examples:
  $ evenkeel run 0d6b1c4e-6f0a-4c9e-9a54-0f6d2b3c1a77
  $ evenkeel run 0d6b1c4e-6f0a-4c9e-9a54-0f6d2b3c1a77 --output json
`;

/** `evenkeel run ID` */
export function createRunCommand(context: CliContext): Command {
  const command = new Command("run").summary("show a reconciliation run and its repairs");
  command
    .description(
      "Show a reconciliation run: its result for each resource type, and the objects that it repaired.",
    )
    .argument("<id>", 'ID of the run, as printed by "evenkeel runs"')
    .addOption(createLimitOption(100))
    .addHelpText("after", EXAMPLES);
  return addClientOptions(command).action(async (runId: string, { limit }: { limit: number }) => {
    const call = await toClientCall(command, context);
    const { run } = await call.client.getReconciliationRun({ id: runId }, { signal: context.signal });
    if (run !== undefined) {
      await printRun(context, call, run, limit);
    }
  });
}
