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
import { formatResourceName, parseResourceName } from "../../domain/resource-type.ts";
import type { CliContext } from "../context.ts";
import { addClientOptions, readAllPages, toClientCall } from "../fleet-client.ts";
import { createLimitOption } from "../options.ts";
import { formatMessage } from "../output/message.ts";
import { formatProperties, formatTable } from "../output/table.ts";
import { formatAgo, formatVerified } from "../output/time.ts";

interface ObjectsFlags {
  readonly resource?: string;
  readonly namespace?: string;
  readonly content?: true;
  readonly limit: number;
}

const LIST_EXAMPLES = `
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
    .addHelpText("after", LIST_EXAMPLES);
  return addClientOptions(command).action(async (cluster: string, flags: ObjectsFlags) => {
    const { client, format } = await toClientCall(command, context);
    const { signal, clock, print, printError: tell } = context;
    const filter = {
      clusters: [cluster],
      view: flags.content === true && format !== "table" ? View.FULL : View.BASIC,
      ...(flags.resource !== undefined && { resources: [parseResourceName(flags.resource)] }),
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
      tell(`There are more than these ${objects.length}: see --limit, --kind and --namespace.\n`);
    }
  });
}

function formatObjects(now: Date, objects: readonly FleetObject[]): string {
  return formatTable(
    ["KIND", "NAMESPACE", "NAME", "VERSION", "UPDATED", "STATE"],
    objects.map(({ ref, resourceVersion, updateTime, state, quarantineReason, checksum }) => [
      formatResourceName(ref?.resourceType),
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

const GET_EXAMPLES = `
Examples:
  $ evenkeel object demo deployments.apps web --namespace shop
  $ evenkeel object demo namespaces shop
  $ evenkeel object demo pods web-0 -n shop --output json
`;

/** `evenkeel object CLUSTER KIND NAME` */
export function createObjectCommand(context: CliContext): Command {
  const command = new Command("object").summary("show an object with its content");
  command
    .description("Show an object as Postgres holds it, with its content.")
    .argument("<cluster>", "name of the cluster")
    .argument("<kind>", "pods, deployments.apps or apps/v1/deployments")
    .argument("<name>", "name of the object")
    .option("-n, --namespace <name>", "its namespace; none for an object of cluster scope", "")
    .addHelpText("after", GET_EXAMPLES);
  return addClientOptions(command).action(
    async (cluster: string, resourceName: string, name: string, { namespace }: { namespace: string }) => {
      const { client, format } = await toClientCall(command, context);
      // The server looks at group and resource only; the version has to be a valid one.
      const resourceType = { ...parseResourceName(resourceName), version: "v1" };
      const request = { cluster, ref: { kind: resourceType, namespace, name } };
      const response = await client.getObject(request, { signal: context.signal });
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
    ["Kind", formatResourceName(ref?.resourceType)],
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
    ? "none: edited by hand since it was verified"
    : Buffer.from(checksum).toString("hex");
}
