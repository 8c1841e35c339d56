import { MalformedResponseError } from "./kube-error.ts";

const NEWLINE = 0x0a;

/**
 * Splits a stream of bytes at newlines, independent of its chunks. Yields each line as text without its
 * newline.
 *
 * @throws MalformedResponseError for a line longer than `maxBytes`, and for a stream that ends within a line,
 * because a part of an object is not an object.
 */
export async function* splitLines(
  body: AsyncIterable<Uint8Array>,
  maxBytes: number,
): AsyncGenerator<string, void, undefined> {
  let parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
      parts.push(chunk.subarray(start, end));
      start = end + 1;
      const line = Buffer.concat(parts).toString("utf8");
      parts = [];
      bytes = 0;
      if (line.trim() !== "") {
        yield line;
      }
    }
    if (start < chunk.length) {
      parts.push(chunk.subarray(start));
      bytes += chunk.length - start;
      if (bytes > maxBytes) {
        throw new MalformedResponseError(`a line is longer than ${maxBytes} bytes`);
      }
    }
  }
  if (bytes > 0) {
    throw new MalformedResponseError(`the stream ended within a line, after ${bytes} bytes of it`);
  }
}
