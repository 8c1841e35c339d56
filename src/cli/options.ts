import { InvalidArgumentError, Option } from "commander";
import type { ValueType } from "../config/value-types.ts";
import type { OutputFormat } from "./output/message.ts";

/** The flag `--limit`: the most entries that a command prints. */
export function createLimitOption(fallback: number): Option {
  return new Option("--limit <count>", "Most entries to print").default(fallback).argParser(parseCount);
}

function parseCount(text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) {
    throw new InvalidArgumentError("Expected a whole number above 0.");
  }
  return Number(text);
}

/** The flag `--output`: a table unless given. */
export function createOutputOption(description: string): Option {
  const formats: OutputFormat[] = ["table", "json", "yaml"];
  return new Option("-o, --output <format>", description).choices(formats).default("table");
}

/** Makes commander read an option's text as configuration does. */
export function parseAs<T>({ schema, fromText, expected }: ValueType<T>): (text: string) => T {
  return (text) => {
    const result = schema.safeParse(fromText(text));
    if (!result.success) {
      throw new InvalidArgumentError(`Expected ${expected}.`);
    }
    return result.data;
  };
}
