/**
 * The text without the characters `last` at its end, in linear time: `/0+$/` begins at each of a run's characters
 * again when something else follows the run.
 */
export function trimEnd(text: string, last: string): string {
  let end = text.length;
  while (end > 0 && text[end - 1] === last) {
    end--;
  }
  return text.slice(0, end);
}
