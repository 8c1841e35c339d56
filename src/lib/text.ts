/**
 * Returns the text without the characters `last` at its end, in linear time. A pattern such as `/0+$/` takes
 * quadratic time: if another character follows a run, it starts again at each character of the run.
 */
export function trimEnd(text: string, last: string): string {
  let end = text.length;
  while (end > 0 && text[end - 1] === last) {
    end--;
  }
  return text.slice(0, end);
}

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
