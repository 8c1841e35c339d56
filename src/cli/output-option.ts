import { Option } from "commander";
import type { OutputFormat } from "./output/message.ts";

/** The flag `--output`: a table unless given. */
export function createOutputOption(description: string): Option {
  const formats: OutputFormat[] = ["table", "json", "yaml"];
  return new Option("-o, --output <format>", description).choices(formats).default("table");
}
