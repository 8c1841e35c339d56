import { loadavg } from "node:os";

/** One figure of a benchmark. */
export interface Figure {
  readonly name: string;
  readonly value: number | string;
  readonly unit?: string;
  /** Set if the figure has a bound: the text of the bound, and true if it holds. */
  readonly bound?: { readonly text: string; readonly holds: boolean };
}

/**
 * Prints figures as a table, and as one line of JSON with the load of the machine. The exit code of the process is 1 if
 * a bound does not hold.
 */
export function printFigures(benchmark: string, figures: readonly Figure[]): void {
  console.log("  | figure | value | bound | holds |\n  |---|--:|---|---|");
  for (const { name, value, unit = "", bound } of figures) {
    const shown =
      typeof value === "number" ? value.toLocaleString("en", { maximumFractionDigits: 1 }) : value;
    const holds = bound === undefined ? "" : bound.holds ? "yes" : "NO";
    console.log(`  | ${name} | ${shown}${unit && ` ${unit}`} | ${bound?.text ?? ""} | ${holds} |`);
  }
  const isHeld = figures.every(({ bound }) => bound?.holds ?? true);
  process.exitCode = isHeld ? process.exitCode : 1;
  const load = loadavg().map((value) => Number(value.toFixed(2)));
  console.log(`  load average ${load.join(", ")}`);
  console.log(JSON.stringify({ benchmark, isHeld, loadAverage: load, figures }, toShortNumber));
}

/** Rounds numbers to a thousandth. JSON has no infinite ones: they become null. */
function toShortNumber(_key: string, value: unknown): unknown {
  return typeof value === "number" && Number.isFinite(value) ? Math.round(value * 1_000) / 1_000 : value;
}
