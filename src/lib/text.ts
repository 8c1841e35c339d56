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

/** Control characters, separators of lines, marks that change the direction of text, and lone surrogates. */
const CONTROLS = /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}\p{Cs}]/gu;

/**
 * Returns the text with the characters that steer a terminal as escapes of JSON, such as `\u001b`. Names in clusters
 * may contain them: they could clear the screen, or forge lines (CVE-2021-25743). A character of `kept` stays.
 */
export function escapeControls(text: string, kept = ""): string {
  return text.replaceAll(CONTROLS, (control) =>
    kept.includes(control) ? control : `\\u${control.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
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
