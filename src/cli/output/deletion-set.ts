import {
  DeletionOriginSchema,
  type DeletionSet,
  DeletionSetStateSchema,
} from "../../../gen/proto/evenkeel/v1/fleet_service_pb.ts";
import { resourceTypeKey } from "../../domain/resource-type.ts";
import { formatEnum } from "./message.ts";
import { formatAgo, formatProperties, formatTable } from "./table.ts";

/** Returns the number of deletions of a set. */
export function countDeletions({ resources }: DeletionSet): bigint {
  return resources.reduce((sum, { deletions }) => sum + deletions, 0n);
}

/** Formats deletion sets as a table. */
export function formatDeletionSets(now: Date, sets: readonly DeletionSet[]): string {
  if (sets.length === 0) {
    return "No deletions are withheld.\n";
  }
  return formatTable(
    ["ID", "CLUSTER", "STATE", "ORIGIN", "DELETIONS", "RESOURCES", "CREATED", "DECIDED BY"],
    sets.map((set) => [
      set.id,
      set.cluster,
      formatEnum(DeletionSetStateSchema, set.state),
      formatEnum(DeletionOriginSchema, set.origin),
      String(countDeletions(set)),
      formatResources(set),
      formatAgo(now, set.createTime),
      set.decidedBy,
    ]),
  );
}

/** Resource types that a line names. */
const SHOWN_RESOURCES = 3;

function formatResources({ resources }: DeletionSet): string {
  const names = resources.slice(0, SHOWN_RESOURCES).map(({ resourceType }) => resourceTypeKey(resourceType));
  const rest = resources.length - names.length;
  return [...names, ...(rest > 0 ? [`${rest} more`] : [])].join(", ");
}

/** Formats a deletion set with its resource types and first objects. */
export function formatDeletionSet(now: Date, set: DeletionSet): string {
  const properties = formatProperties([
    ["Deletion set", set.id],
    ["Cluster", set.cluster],
    ["State", formatEnum(DeletionSetStateSchema, set.state)],
    ["Origin", formatEnum(DeletionOriginSchema, set.origin)],
    ["Run", set.runId],
    ["Created", formatAgo(now, set.createTime)],
    ["Decided", `${formatAgo(now, set.decideTime)}${set.decidedBy === "" ? "" : ` by ${set.decidedBy}`}`],
    ["Deletions", String(countDeletions(set))],
  ]);
  const resources = formatTable(
    ["RESOURCE", "ROWS", "DELETIONS", "DETAIL"],
    set.resources.map(({ resourceType, rows, deletions, detail }) => [
      resourceTypeKey(resourceType),
      String(rows),
      String(deletions),
      detail,
    ]),
  );
  const examples = formatTable(
    ["OBJECT", "NAMESPACE", "NAME"],
    set.examples.map(({ resourceType, namespace, name }) => [resourceTypeKey(resourceType), namespace, name]),
  );
  return [properties, resources, ...(set.examples.length > 0 ? [examples] : [])].join("\n");
}
