/** Shortens a line to `maxLength` characters and appends the number of those that are left out. */
export function shortenLine(line: string, maxLength: number): string {
  const rest = line.length - maxLength;
  return rest > 0 ? `${line.slice(0, maxLength)}... ${rest} more characters` : line;
}

/** Shortens a text to its first `maxLines` lines of at most `maxLineLength` characters each. */
export function shortenText(text: string, maxLines: number, maxLineLength: number): string {
  const lines = text.split("\n");
  const kept = lines.slice(0, maxLines).map((line) => shortenLine(line, maxLineLength));
  const rest = lines.length - kept.length;
  return [...kept, ...(rest > 0 ? [`... ${rest} more lines`] : [])].join("\n");
}
