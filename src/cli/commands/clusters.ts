import { create } from "@bufbuild/protobuf";
import { Command } from "commander";
import { type Cluster, ListClustersResponseSchema } from "../../../gen/proto/evenkeel/v1/fleet_service_pb.ts";
import { addClientOptions, toClientCall } from "../client-command.ts";
import type { CliContext } from "../context.ts";
import { listPages } from "../list-pages.ts";
import { createLimitOption } from "../options.ts";
import { formatMessage } from "../output/message.ts";
import { formatTable } from "../output/table.ts";
import { formatAgo } from "../output/time.ts";

/** `evenkeel clusters` */
export function createClustersCommand(context: CliContext): Command {
  const command = new Command("clusters").summary("list the clusters of the fleet");
  command
    .description(
      "List the clusters of the fleet: whether their agents are connected, and since when all is verified.",
    )
    .addOption(createLimitOption(1000))
    .addHelpText("after", "\nExamples:\n  $ evenkeel clusters\n  $ evenkeel clusters --output json\n");
  return addClientOptions(command).action(async ({ limit }: { limit: number }) => {
    const { client, format } = await toClientCall(command, context);
    const { signal, clock, print } = context;
    const clusters = await listPages(limit, async (pageSize, pageToken) => {
      const page = await client.listClusters({ pageSize, pageToken }, { signal });
      return { items: page.clusters, nextPageToken: page.nextPageToken };
    });
    print(
      format === "table"
        ? formatClusters(clock.now(), clusters)
        : formatMessage(ListClustersResponseSchema, create(ListClustersResponseSchema, { clusters }), format),
    );
  });
}

function formatClusters(now: Date, clusters: readonly Cluster[]): string {
  if (clusters.length === 0) {
    return "No cluster has connected yet. Start an agent with: evenkeel agent --cluster NAME\n";
  }
  return formatTable(
    ["NAME", "CONNECTED", "OBJECTS", "QUARANTINED", "LAST EVENT", "VERIFIED", "AGENT"],
    clusters.map(({ name, connected, objects, quarantined, lastEventTime, verifiedTime, session }) => [
      name,
      connected ? "yes" : "no",
      String(objects),
      String(quarantined),
      formatAgo(now, lastEventTime),
      verifiedTime === undefined ? "never" : formatAgo(now, verifiedTime),
      session?.agentVersion ?? "",
    ]),
  );
}
