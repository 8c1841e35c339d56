const ELLIPSIS = "...";

/** Returns the text, or a prefix of it with three dots that together take at most `maxBytes` in UTF-8. */
export function truncate(text: string, maxBytes: number): string {
  const encoder = new TextEncoder();
  const { read } = encoder.encodeInto(text, new Uint8Array(maxBytes));
  if (read === text.length) {
    return text;
  }
  const shorter = encoder.encodeInto(text, new Uint8Array(maxBytes - ELLIPSIS.length));
  return text.slice(0, shorter.read) + ELLIPSIS;
}
