import { Command } from "commander";
import {
  type Object$ as FleetObject,
  GetObjectResponseSchema,
} from "../../../gen/proto/evenkeel/v1/fleet_service_pb.ts";
import { parseExact } from "../../domain/canonical-json.ts";
import { formatKindName, parseKindName } from "../../domain/format-kind-name.ts";
import { addClientOptions, toClientCall } from "../client-command.ts";
import type { CliContext } from "../context.ts";
import { formatMessage } from "../output/message.ts";
import { formatProperties } from "../output/table.ts";
import { formatAgo } from "../output/time.ts";

const examples = `
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
    .addHelpText("after", examples);
  return addClientOptions(command).action(
    async (cluster: string, kindName: string, name: string, { namespace }: { namespace: string }) => {
      const { client, format } = await toClientCall(command, context);
      // The server looks at group and resource only; the version has to be a valid one.
      const kind = { ...parseKindName(kindName), version: "v1" };
      const request = { cluster, ref: { kind, namespace, name } };
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
  const { ref, uid, resourceVersion, observedVersion, updateTime, verifiedTime } = object;
  const properties = formatProperties([
    ["Kind", formatKindName(ref?.kind)],
    ["Namespace", ref?.namespace ?? ""],
    ["Name", ref?.name ?? ""],
    ["Uid", uid],
    ["Version", `${resourceVersion}, observed at ${observedVersion}`],
    ["Updated", formatAgo(now, updateTime)],
    ["Verified", verifiedTime === undefined ? "never" : formatAgo(now, verifiedTime)],
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
