import { create } from "@bufbuild/protobuf";
import { Command } from "commander";
import {
  type Cluster,
  GetClusterResponseSchema,
  ListClustersResponseSchema,
  ResourceAvailability,
  type ResourceStatus,
} from "../../../gen/proto/evenkeel/v1/fleet_service_pb.ts";
import { resourceTypeKey } from "../../domain/resource-type.ts";
import type { CliContext } from "../context.ts";
import { addClientOptions, readAllPages, toClientCall } from "../fleet-client.ts";
import { createLimitOption } from "../options.ts";
import { formatMessage } from "../output/message.ts";
import { formatScopeNotes } from "../output/run.ts";
import { formatAgo, formatProperties, formatTable, formatVerified } from "../output/table.ts";

/** `evenkeel clusters` */
export function createClustersCommand(context: CliContext): Command {
  const command = new Command("clusters").summary("list clusters");
  command
    .description("List clusters with connection state, number of objects and verified time.")
    .addOption(createLimitOption(1000))
    .addHelpText("after", "\nExamples:\n  $ evenkeel clusters\n  $ evenkeel clusters --output json\n");
  return addClientOptions(command).action(async ({ limit }: { limit: number }) => {
    const { client, format } = await toClientCall(command, context);
    const { signal, clock, print } = context;
    const clusters = await readAllPages(limit, async (pageSize, pageToken) => {
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
    return "No cluster has connected yet. Start an agent: evenkeel agent --cluster NAME\n";
  }
  return formatTable(
    [
      "NAME",
      "CONNECTED",
      "OBJECTS",
      "QUARANTINED",
      "LAST EVENT",
      "VERIFIED",
      "WITHHELD",
      "AGENT",
      "STANDBYS",
    ],
    clusters.map((cluster) => [
      cluster.name,
      cluster.connected ? "yes" : "no",
      String(cluster.objects),
      String(cluster.quarantined),
      formatAgo(now, cluster.lastEventTime),
      formatReadable(cluster, formatVerified(now, cluster.freshness)),
      cluster.withheld === 0n ? "" : String(cluster.withheld),
      cluster.session?.agentVersion ?? "",
      String(cluster.standbys),
    ]),
  );
}

/** Adds to the verified time how many resource types it covers, unless it covers all. */
function formatReadable({ resourceTypes, notReadable }: Cluster, verified: string): string {
  return notReadable === 0
    ? verified
    : `${verified} (${resourceTypes - notReadable} of ${resourceTypes} resource types)`;
}

/** `evenkeel cluster NAME` */
export function createClusterCommand(context: CliContext): Command {
  const command = new Command("cluster").summary("show a cluster with its resource types");
  command
    .description(
      "Show a cluster: the agent's session, its standbys, and its resource types with object count and verified time.",
    )
    .argument("<name>", "Name of the cluster")
    .addHelpText("after", "\nExamples:\n  $ evenkeel cluster dev\n  $ evenkeel cluster dev --output yaml\n");
  return addClientOptions(command).action(async (name: string) => {
    const { client, format } = await toClientCall(command, context);
    const response = await client.getCluster({ name }, { signal: context.signal });
    const { cluster } = response;
    if (format !== "table") {
      context.print(formatMessage(GetClusterResponseSchema, response, format));
    } else if (cluster !== undefined) {
      context.print(formatCluster(context.clock.now(), cluster));
    }
  });
}

function formatCluster(now: Date, cluster: Cluster): string {
  const {
    name,
    uid,
    connected,
    session,
    lastEventTime,
    freshness,
    objects,
    quarantined,
    resources,
    standbys,
    withheld,
  } = cluster;
  const state = connected ? "connected" : "not connected";
  const properties = formatProperties([
    ["Cluster", name],
    ["Uid", uid],
    [
      "State",
      session === undefined
        ? state
        : `${state}, since ${formatAgo(now, session.closeTime ?? session.openTime)}`,
    ],
    ["Agent", session === undefined ? "" : `${session.agentVersion} (${session.instanceId})`],
    ["Standbys", String(standbys)],
    ["Kubernetes", session?.kubernetesVersion ?? ""],
    ["Objects", `${objects}${quarantined === 0n ? "" : `, ${quarantined} more quarantined`}`],
    ["Last event", formatAgo(now, lastEventTime)],
    ["Verified", formatReadable(cluster, formatVerified(now, freshness, "not yet"))],
    ["Withheld", withheld === 0n ? "" : `${withheld} deletions; see "evenkeel deletions list ${name}"`],
    ...formatScopeNotes(cluster),
  ]);
  const table = formatTable(
    ["RESOURCE", "VERSION", "NAMESPACES", "OBJECTS", "QUARANTINED", "TOMBSTONES", "VERIFIED"],
    resources.map((each) => [
      resourceTypeKey(each.resourceType),
      each.resourceType?.version ?? "",
      each.namespaces.join(",") || "all",
      String(each.objects),
      String(each.quarantined),
      String(each.tombstones),
      formatStatus(now, each),
    ]),
  );
  return resources.length === 0 ? properties : `${properties}\n${table}`;
}

function formatStatus(now: Date, { availability, freshness, failure }: ResourceStatus): string {
  const verified = formatVerified(now, freshness);
  switch (availability) {
    case ResourceAvailability.NOT_READABLE:
      return "not readable";
    case ResourceAvailability.UNDECIDED:
      return `${verified} (undecided: ${failure?.message ?? "not served"})`;
    case ResourceAvailability.WITHHELD:
      return `${verified} (excluded; its deletions are withheld)`;
    default:
      return failure === undefined ? verified : `${verified} (last run: ${failure.reason})`;
  }
}
