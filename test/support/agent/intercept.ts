import type { Clock } from "../../../src/lib/clock.ts";

/** True if a request lists ConfigMaps; false for watches and for the probe of the current version. */
export function isList(path: string, query: Readonly<Record<string, string>> = {}): boolean {
  return path.endsWith("/configmaps") && query["watch"] === undefined && query["limit"] !== "1";
}

/** Replaces a pattern in each chunk of a response. */
export async function* rewrite(
  body: AsyncIterable<Uint8Array>,
  pattern: RegExp,
  replacement: string,
): AsyncGenerator<Uint8Array> {
  for await (const chunk of body) {
    yield Buffer.from(Buffer.from(chunk).toString().replaceAll(pattern, replacement));
  }
}

/** Yields each chunk of a response this much later. */
export async function* delay(
  clock: Clock,
  body: AsyncIterable<Uint8Array>,
  ms: number,
): AsyncGenerator<Uint8Array> {
  for await (const chunk of body) {
    await clock.sleep(new AbortController().signal, ms);
    yield chunk;
  }
}
