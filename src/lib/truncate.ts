const ELLIPSIS = "...";

/** The text, or as many of its first characters as take `maxBytes` in UTF-8 with the dots behind them. */
export function truncate(text: string, maxBytes: number): string {
  const encoder = new TextEncoder();
  const { read } = encoder.encodeInto(text, new Uint8Array(maxBytes));
  if (read === text.length) {
    return text;
  }
  const shorter = encoder.encodeInto(text, new Uint8Array(maxBytes - ELLIPSIS.length));
  return text.slice(0, shorter.read) + ELLIPSIS;
}
