import { create } from "@bufbuild/protobuf";
import { Command } from "commander";
import {
  type Object$ as FleetObject,
  ListObjectsResponseSchema,
  ObjectState,
} from "../../../gen/proto/evenkeel/v1/fleet_service_pb.ts";
import { formatKindName, parseKindName } from "../../domain/format-kind-name.ts";
import { addClientOptions, toClientCall } from "../client-command.ts";
import type { CliContext } from "../context.ts";
import { listPages } from "../list-pages.ts";
import { createLimitOption } from "../options.ts";
import { formatMessage } from "../output/message.ts";
import { formatTable } from "../output/table.ts";
import { formatAgo } from "../output/time.ts";

interface ObjectsFlags {
  readonly kind?: string;
  readonly namespace?: string;
  readonly content?: true;
  readonly limit: number;
}

const examples = `
Examples:
  $ evenkeel objects demo
  $ evenkeel objects demo --kind deployments.apps --namespace shop
  $ evenkeel objects demo --kind pods --content --output json
`;

/** `evenkeel objects CLUSTER` */
export function createObjectsCommand(context: CliContext): Command {
  const command = new Command("objects").summary("list the objects of a cluster");
  command
    .description("List the objects that Postgres holds of a cluster, by kind, namespace and name.")
    .argument("<cluster>", "name of the cluster")
    .option("-k, --kind <kind>", "only this kind: pods, deployments.apps or apps/v1/deployments")
    .option("-n, --namespace <name>", "only this namespace")
    .option("--content", "with contents, in json and yaml")
    .addOption(createLimitOption(500))
    .addHelpText("after", examples);
  return addClientOptions(command).action(async (cluster: string, flags: ObjectsFlags) => {
    const { client, format } = await toClientCall(command, context);
    const { signal, clock, print, tell } = context;
    const filter = {
      cluster,
      includeContent: flags.content === true && format !== "table",
      ...(flags.kind !== undefined && parseKindName(flags.kind)),
      ...(flags.namespace !== undefined && { namespace: flags.namespace }),
    };
    let more = false;
    const objects = await listPages(flags.limit, async (pageSize, pageToken) => {
      const page = await client.listObjects({ ...filter, pageSize, pageToken }, { signal });
      more = page.nextPageToken !== "";
      return { items: page.objects, nextPageToken: page.nextPageToken };
    });
    print(
      format === "table"
        ? formatObjects(clock.now(), objects)
        : formatMessage(ListObjectsResponseSchema, create(ListObjectsResponseSchema, { objects }), format),
    );
    if (more) {
      tell(`There are more than these ${objects.length}: see --limit, --kind and --namespace.\n`);
    }
  });
}

function formatObjects(now: Date, objects: readonly FleetObject[]): string {
  return formatTable(
    ["KIND", "NAMESPACE", "NAME", "VERSION", "UPDATED", "STATE"],
    objects.map(({ ref, resourceVersion, updateTime, state, quarantineReason, checksum }) => [
      formatKindName(ref?.kind),
      ref?.namespace ?? "",
      ref?.name ?? "",
      resourceVersion,
      formatAgo(now, updateTime),
      formatObjectState(state, quarantineReason, checksum),
    ]),
  );
}

function formatObjectState(state: ObjectState, quarantineReason: string, checksum: Uint8Array): string {
  if (state === ObjectState.QUARANTINED) {
    return `quarantined: ${quarantineReason}`;
  }
  return checksum.length === 0 ? "edited by hand" : "present";
}
