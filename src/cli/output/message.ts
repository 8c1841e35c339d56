import { type DescMessage, type MessageShape, toJson } from "@bufbuild/protobuf";
import { formatJson } from "./format-json.ts";

/** How results are printed: as a table for people, or exactly, for programs. */
export type OutputFormat = "table" | "json" | "yaml";

/** The message in Protobuf's JSON mapping, as JSON or as YAML: exact times, whole numbers of 64 bits as texts. */
export function formatMessage<Desc extends DescMessage>(
  schema: Desc,
  message: MessageShape<Desc>,
  format: "json" | "yaml",
): string {
  return formatJson(toJson(schema, message), format);
}
