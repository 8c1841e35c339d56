import type { ResourceType } from "../../gen/proto/evenkeel/v1/resource_pb.ts";
import { parseExact } from "../domain/canonical-json.ts";
import { sleepUnlessAborted } from "../lib/abort.ts";
import type { Clock } from "../lib/clock.ts";
import { toMessage } from "../lib/errors.ts";
import { type KubeRequest, type KubeResponse, type KubeTransport, resourcePath } from "./kube.ts";
import { MalformedResponseError, toKubeError, WatchExpiredError } from "./kube-error.ts";
import { isRecord, type KubeObject, toKubeObject } from "./kube-object.ts";
import { assertOk, describeRequest, parseAnswer } from "./read-response.ts";

export interface WatchOptions {
  readonly resourceType: ResourceType;
  /** One namespace; unset watches all. */
  readonly namespace?: string;
  /** The watch returns the changes after this version. */
  readonly resourceVersion: string;
  /** The server ends the watch after this time. */
  readonly timeoutSeconds: number;
  readonly clock: Clock;
}

/** An event of a watch. An ERROR event is thrown as an error. */
export type WatchEvent =
  | { readonly type: "put"; readonly object: KubeObject }
  /** The object's version is the version of its deletion. */
  | { readonly type: "delete"; readonly object: KubeObject }
  /** The server has sent all changes up to this version. The event describes no object. */
  | { readonly type: "bookmark"; readonly version: string };

/**
 * Silence after which a watch counts as dead, in milliseconds. An API server sends a bookmark about once a minute. A
 * half-open connection sends nothing: load balancers and gateways may drop one without a word.
 */
const MAX_SILENCE_MS = 150_000;

/** etcd stores objects of up to 1.5 MiB; objects of aggregated APIs may be larger. */
const MAX_LINE_BYTES = 16 * 1024 * 1024;

/**
 * Watches a resource type. Yields its events in the order of their versions until the server ends the watch, or sends
 * nothing for 150 s. A server without bookmarks is silent while nothing changes; then the next watch continues. The
 * caller must abort the signal to be sure that the request ends.
 *
 * @throws WatchExpiredError if the version is too old, reported by a status or by an ERROR event.
 * @throws KubeRefusedError, KubeUnavailableError or MalformedResponseError for any other failure.
 */
export async function* watchEvents(
  signal: AbortSignal,
  transport: KubeTransport,
  { resourceType, namespace, resourceVersion, timeoutSeconds, clock }: WatchOptions,
): AsyncGenerator<WatchEvent, void, undefined> {
  const request = {
    path: resourcePath(resourceType, namespace),
    query: {
      watch: "true",
      resourceVersion,
      allowWatchBookmarks: "true",
      timeoutSeconds: String(timeoutSeconds),
    },
  };
  const what = describeRequest(request);
  using silence = new SilenceLimit(clock, signal);
  try {
    const response = await transport.get(silence.signal, request);
    await assertAccepted(request, response);
    for await (const line of splitLines(response.body, MAX_LINE_BYTES)) {
      silence.pause();
      yield toEvent(parseAnswer(line, what, parseExact), what);
      silence.begin();
    }
  } catch (error) {
    if (!silence.isExceeded) {
      throw error;
    }
  }
}

/** Ends the request of a watch that waits too long for its next event. One timer serves all waits of a watch. */
class SilenceLimit implements Disposable {
  readonly #clock: Clock;
  readonly #ended = new AbortController();
  /** Beginning of the wait, by the monotonic clock; undefined while an event is processed. */
  #since: number | undefined;
  isExceeded = false;
  /** Aborts with the caller's signal, or when the limit is exceeded. */
  readonly signal: AbortSignal;

  constructor(clock: Clock, signal: AbortSignal) {
    this.#clock = clock;
    this.#since = clock.monotonic();
    this.signal = AbortSignal.any([signal, this.#ended.signal]);
    void this.#watch();
  }

  begin(): void {
    this.#since = this.#clock.monotonic();
  }

  pause(): void {
    this.#since = undefined;
  }

  [Symbol.dispose](): void {
    this.#ended.abort(new Error("the watch has ended"));
  }

  async #watch(): Promise<void> {
    while (!this.signal.aborted) {
      const now = this.#clock.monotonic();
      const leftMs = (this.#since ?? now) + MAX_SILENCE_MS - now;
      if (leftMs <= 0) {
        this.isExceeded = true;
        this.#ended.abort(new Error(`the watch was silent for ${MAX_SILENCE_MS} ms`));
        return;
      }
      await sleepUnlessAborted(this.signal, this.#clock, leftMs);
    }
  }
}

async function assertAccepted(request: KubeRequest, response: KubeResponse): Promise<void> {
  try {
    await assertOk(request, response);
  } catch (error) {
    throw response.status === 410 ? new WatchExpiredError(toMessage(error), { cause: error }) : error;
  }
}

function toEvent(event: unknown, what: string): WatchEvent {
  const { type, object } = (isRecord(event) ? event : {}) as { type?: unknown; object?: unknown };
  switch (type) {
    case "ADDED":
    case "MODIFIED":
      return { type: "put", object: toKubeObject(object, what) };
    case "DELETED":
      return { type: "delete", object: toKubeObject(object, what) };
    case "BOOKMARK":
      return { type: "bookmark", version: versionOfBookmark(object, what) };
    case "ERROR":
      throw toWatchError(object, what);
    default:
      throw new MalformedResponseError(`${what}: unknown event type ${JSON.stringify(type)}`);
  }
}

/** Returns the version of a bookmark; its object has no other content. */
function versionOfBookmark(object: unknown, what: string): string {
  const metadata = isRecord(object) ? object["metadata"] : undefined;
  if (!isRecord(metadata) || typeof metadata["resourceVersion"] !== "string") {
    throw new MalformedResponseError(`${what}: expected a bookmark with metadata.resourceVersion`);
  }
  return metadata["resourceVersion"];
}

function toWatchError(object: unknown, what: string): Error {
  const { code, message } = (isRecord(object) ? object : {}) as { code?: unknown; message?: unknown };
  const text = typeof message === "string" ? message.slice(0, 500) : "";
  if (code === 410) {
    return new WatchExpiredError(`${what}: ${text}`);
  }
  return toKubeError(what, typeof code === "number" ? code : 500, text);
}

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
