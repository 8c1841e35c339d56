import { type DescEnum, type DescMessage, type MessageShape, toJson } from "@bufbuild/protobuf";
import { stringify } from "yaml";
import { escapeControls } from "../../lib/text.ts";

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

/**
 * A value that JSON can hold, as JSON or as YAML. Commands print characters that steer a terminal as escapes of JSON.
 * YAML has these in double quotes only, so a value with such a character becomes JSON, which is YAML too.
 */
export function formatJson(value: unknown, format: "json" | "yaml"): string {
  const json = `${JSON.stringify(value, undefined, 2)}\n`;
  if (format === "json") {
    return json;
  }
  const yaml = stringify(value);
  return escapeControls(yaml, "\n") === yaml ? yaml : json;
}

/** Formats an enum value without the prefix: "SUCCEEDED"; an unknown value as its number. */
export function formatEnum(schema: DescEnum, value: number): string {
  return schema.value[value]?.localName ?? String(value);
}
