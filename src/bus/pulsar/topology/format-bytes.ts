const units = ["B", "KiB", "MiB", "GiB"];

/** A size, exactly, in the largest unit that it is a whole number of: "4 GiB", "5242881 B". */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value !== 0 && value % 1024 === 0 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${value} ${units[unit]}`;
}
