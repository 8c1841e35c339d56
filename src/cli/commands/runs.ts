import { create } from "@bufbuild/protobuf";
import { Command } from "commander";
import { ListReconciliationRunsResponseSchema } from "../../../gen/proto/evenkeel/v1/fleet_service_pb.ts";
import { addClientOptions, toClientCall } from "../client-command.ts";
import type { CliContext } from "../context.ts";
import { listPages } from "../list-pages.ts";
import { createLimitOption } from "../options.ts";
import { formatMessage } from "../output/message.ts";
import { formatRuns } from "../output/run.ts";

/** `evenkeel runs [CLUSTER]` */
export function createRunsCommand(context: CliContext): Command {
  const command = new Command("runs").summary("list reconciliation runs");
  command
    .description("List reconciliation runs, the newest first.")
    .argument("[cluster]", "only of this cluster", "")
    .addOption(createLimitOption(20))
    .addHelpText("after", "\nExamples:\n  $ evenkeel runs\n  $ evenkeel runs demo --limit 5 --output yaml\n");
  return addClientOptions(command).action(async (cluster: string, { limit }: { limit: number }) => {
    const { client, format } = await toClientCall(command, context);
    const runs = await listPages(limit, async (pageSize, pageToken) => {
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
