import { InvalidArgumentError, Option } from "commander";

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
