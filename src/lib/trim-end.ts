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
