import { type Timestamp, timestampMs } from "@bufbuild/protobuf/wkt";
import type { Freshness } from "../../../gen/proto/evenkeel/v1/fleet_service_pb.ts";
import { escapeControls } from "../../lib/text.ts";

/** Lines of columns: each as wide as its widest cell, three spaces between them, an empty cell as a dash. */
export function formatTable(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [header, ...rows.map((row) => row.map((cell) => (cell === "" ? "-" : escapeControls(cell))))];
  const widths = header.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  return lines.map((line) => `${pad(line, widths).join("   ").trimEnd()}\n`).join("");
}

/** Lines of a name and a value; those without a value are left out. */
export function formatProperties(properties: readonly (readonly [name: string, value: string])[]): string {
  const present = properties.filter(([, value]) => value !== "");
  const width = Math.max(...present.map(([name]) => name.length));
  return present.map(([name, value]) => `${`${name}:`.padEnd(width + 3)}${escapeControls(value)}\n`).join("");
}

function pad(line: readonly string[], widths: readonly number[]): string[] {
  return line.map((cell, column) => cell.padEnd(widths[column] ?? 0));
}

const units = [
  [86_400_000, "d"],
  [3_600_000, "h"],
  [60_000, "m"],
  [1000, "s"],
] as const;

/** How long ago a time was, such as "3s ago"; empty for one that is not set. */
export function formatAgo(now: Date, time: Timestamp | undefined): string {
  return time === undefined ? "" : `${formatDuration(now.getTime() - timestampMs(time))} ago`;
}

/** The time from one to another, such as "1.2s"; empty when one of them is not set. */
export function formatBetween(from: Timestamp | undefined, to: Timestamp | undefined): string {
  if (from === undefined || to === undefined) {
    return "";
  }
  const ms = Math.max(0, timestampMs(to) - timestampMs(from));
  return ms < 10_000 ? `${(ms / 1000).toFixed(1)}s` : formatDuration(ms);
}

/** Two units at most: "3s", "5m10s", "2h5m", "3d4h". Clocks differ, so what lies ahead is "0s". */
export function formatDuration(ms: number): string {
  const first = units.findIndex(([size]) => ms >= size);
  if (first === -1) {
    return "0s";
  }
  let rest = ms;
  const parts = units.slice(first, first + 2).map(([size, name]) => {
    const count = Math.floor(rest / size);
    rest -= count * size;
    return count === 0 ? "" : `${count}${name}`;
  });
  return parts.join("");
}

/** How long ago the rows were verified. */
export function formatVerified(now: Date, freshness: Freshness | undefined, never = "never"): string {
  const time = freshness?.verifiedTime;
  return time === undefined ? never : formatAgo(now, time);
}
