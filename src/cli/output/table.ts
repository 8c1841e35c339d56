/** Lines of columns: each as wide as its widest cell, three spaces between them, an empty cell as a dash. */
export function formatTable(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [header, ...rows.map((row) => row.map((cell) => (cell === "" ? "-" : cell)))];
  const widths = header.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  return lines.map((line) => `${pad(line, widths).join("   ").trimEnd()}\n`).join("");
}

/** Lines of a name and a value; those without a value are left out. */
export function formatProperties(properties: readonly (readonly [name: string, value: string])[]): string {
  const present = properties.filter(([, value]) => value !== "");
  const width = Math.max(...present.map(([name]) => name.length));
  return present.map(([name, value]) => `${`${name}:`.padEnd(width + 3)}${value}\n`).join("");
}

function pad(line: readonly string[], widths: readonly number[]): string[] {
  return line.map((cell, column) => cell.padEnd(widths[column] ?? 0));
}
