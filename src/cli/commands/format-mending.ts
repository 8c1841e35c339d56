import type { Mending } from "../../bus/pulsar/topology/apply-topology.ts";
import type { Difference } from "../../bus/pulsar/topology/difference.ts";
import { formatJson } from "../output/format-json.ts";
import type { OutputFormat } from "../output/message.ts";
import { formatTable } from "../output/table.ts";

/** What was asked for with the mending. */
export interface MendingFlags {
  readonly dryRun?: true;
  readonly overwrite?: true;
}

/** What differed, and what was done about it. */
export function formatMending({ mended, left }: Mending, flags: MendingFlags, format: OutputFormat): string {
  const rows = [
    ...mended.map((difference) => toRow(difference, difference.found === undefined ? "added" : "replaced")),
    ...left.map((difference) => toRow(difference, `left: ${toReason(difference, flags)}`)),
  ];
  if (format !== "table") {
    return formatJson({ differences: rows }, format);
  }
  return rows.length === 0
    ? "Everything is as it should be.\n"
    : formatTable(
        ["WHAT", "WANTED", "FOUND", "DONE"],
        rows.map(({ what, wanted, found, done }) => [what, wanted, found ?? "", done]),
      );
}

function toRow({ what, wanted, found }: Difference, done: string) {
  return { what, wanted, found, done };
}

function toReason({ remedy, found }: Difference, { overwrite }: MendingFlags): string {
  if (typeof remedy !== "function") {
    return remedy.advice;
  }
  if (found === undefined) {
    return "would be added";
  }
  return overwrite === true ? "would be replaced" : "somebody has set it; --overwrite replaces it";
}
