import { create } from "@bufbuild/protobuf";
import { Command } from "commander";
import {
  type KubernetesObject as FleetObject,
  GetObjectResponseSchema,
  ListObjectsResponseSchema,
  ObjectState,
  View,
} from "../../../gen/proto/evenkeel/v1/fleet_service_pb.ts";
import { parseExact } from "../../domain/canonical-json.ts";
import { type ResourceTypeName, resourceTypeKey } from "../../domain/resource-type.ts";
import type { CliContext } from "../context.ts";
import { addClientOptions, readAllPages, toClientCall } from "../fleet-client.ts";
import { createLimitOption, parseResource } from "../options.ts";
import { formatMessage } from "../output/message.ts";
import { formatAgo, formatProperties, formatTable, formatVerified } from "../output/table.ts";

interface ObjectsFlags {
  readonly resource?: ResourceTypeName;
  readonly namespace?: string;
  readonly content?: true;
  readonly limit: number;
}

const LIST_EXAMPLES = `
Examples:
  $ evenkeel objects dev
  $ evenkeel objects dev --resource deployments.apps --namespace shop
  $ evenkeel objects dev --resource pods --content --output json
`;

/** `evenkeel objects CLUSTER` */
export function createObjectsCommand(context: CliContext): Command {
  const command = new Command("objects").summary("list objects of a cluster");
  command
    .description("List objects of a cluster as stored in Postgres, by resource type, namespace and name.")
    .argument("<cluster>", "Name of the cluster")
    .option("-r, --resource <resource>", "Resource type, such as pods or deployments.apps", parseResource)
    .option("-n, --namespace <name>", "Namespace")
    .option("--content", "Include contents (json and yaml only)")
    .addOption(createLimitOption(500))
    .addHelpText("after", LIST_EXAMPLES);
  return addClientOptions(command).action(async (cluster: string, flags: ObjectsFlags) => {
    const { client, format } = await toClientCall(command, context);
    const { signal, clock, print, printError } = context;
    const filter = {
      clusters: [cluster],
      view: flags.content === true && format !== "table" ? View.FULL : View.BASIC,
      ...(flags.resource !== undefined && {
        resources: [{ group: flags.resource.group, resource: flags.resource.resource }],
      }),
      ...(flags.namespace !== undefined && { namespace: flags.namespace }),
    };
    let more = false;
    const objects = await readAllPages(flags.limit, async (pageSize, pageToken) => {
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
      printError("There are more objects; narrow them with --resource and --namespace, or raise --limit.\n");
    }
  });
}

function formatObjects(now: Date, objects: readonly FleetObject[]): string {
  return formatTable(
    ["RESOURCE", "NAMESPACE", "NAME", "VERSION", "UPDATED", "STATE"],
    objects.map(({ ref, resourceVersion, updateTime, state, quarantineReason, checksum }) => [
      resourceTypeKey(ref?.resourceType),
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
  return checksum.length === 0 ? "edited manually" : "present";
}

const GET_EXAMPLES = `
Examples:
  $ evenkeel object dev deployments.apps shop-api --namespace shop
  $ evenkeel object dev namespaces shop
  $ evenkeel object dev configmaps feature-flags -n shop --output json
`;

/** `evenkeel object CLUSTER RESOURCE NAME` */
export function createObjectCommand(context: CliContext): Command {
  const command = new Command("object").summary("show an object with its content");
  command
    .description("Show an object as stored in Postgres, with its content.")
    .argument("<cluster>", "Name of the cluster")
    .argument("<resource>", "Resource type, such as pods or deployments.apps", parseResource)
    .argument("<name>", "Name of the object")
    .option("-n, --namespace <name>", "Namespace; unset for a cluster-scoped object")
    .addHelpText("after", GET_EXAMPLES);
  return addClientOptions(command).action(
    async (
      cluster: string,
      { group, resource }: ResourceTypeName,
      name: string,
      { namespace = "" }: { readonly namespace?: string },
    ) => {
      const { client, format } = await toClientCall(command, context);
      // Group and resource identify the resource type; the contract requires a version.
      const ref = { resourceType: { group, version: "v1", resource }, namespace, name };
      const response = await client.getObject({ cluster, ref }, { signal: context.signal });
      if (format !== "table") {
        context.print(formatMessage(GetObjectResponseSchema, response, format));
      } else if (response.object !== undefined) {
        context.print(formatObject(context.clock.now(), response.object));
      }
    },
  );
}

function formatObject(now: Date, object: FleetObject): string {
  const { ref, uid, resourceVersion, observedVersion, updateTime, freshness } = object;
  const properties = formatProperties([
    ["Resource", resourceTypeKey(ref?.resourceType)],
    ["Namespace", ref?.namespace ?? ""],
    ["Name", ref?.name ?? ""],
    ["Uid", uid],
    ["Version", `${resourceVersion}, observed at ${observedVersion}`],
    ["Updated", formatAgo(now, updateTime)],
    ["Verified", formatVerified(now, freshness)],
    ["Checksum", toChecksum(object)],
    ["Managed by", object.managedBy],
    ["Quarantined", object.quarantineReason],
  ]);
  return object.content === ""
    ? properties
    : `${properties}\n${JSON.stringify(parseExact(object.content), undefined, 2)}\n`;
}

function toChecksum({ checksum }: FleetObject): string {
  return checksum.length === 0
    ? "none: edited manually since the last run"
    : Buffer.from(checksum).toString("hex");
}
