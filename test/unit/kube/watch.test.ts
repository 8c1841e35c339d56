import { create } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ResourceTypeSchema } from "../../../gen/proto/evenkeel/v1/resource_pb.ts";
import type { KubeResponse, KubeTransport } from "../../../src/kube/kube.ts";
import {
  KubeUnavailableError,
  MalformedResponseError,
  WatchExpiredError,
} from "../../../src/kube/kube-error.ts";
import { splitLines, type WatchEvent, watchEvents } from "../../../src/kube/watch.ts";
import { waitFor } from "../../../src/lib/abort.ts";
import { BoundedQueue } from "../../../src/lib/bounded-queue.ts";
import { type Answer, scriptedTransport } from "../../support/kube/responses.ts";
import { ManualClock } from "../../support/manual-clock.ts";

const signal = new AbortController().signal;
const resourceType = create(ResourceTypeSchema, { group: "apps", version: "v1", resource: "deployments" });

async function watch(answer: Answer): Promise<{ events: WatchEvent[]; error: unknown; url: string }> {
  const transport = scriptedTransport([answer]);
  const events: WatchEvent[] = [];
  let error: unknown;
  try {
    for await (const event of watchEvents(signal, transport, {
      resourceType,
      resourceVersion: "7",
      timeoutSeconds: 300,
      clock: new ManualClock(),
    })) {
      events.push(event);
    }
  } catch (cause) {
    error = cause;
  }
  const [request] = transport.requests;
  return { events, error, url: `${request?.path}?${new URLSearchParams(request?.query)}` };
}

const added = '{"type":"ADDED","object":{"metadata":{"name":"ä","uid":"u","resourceVersion":"8"}}}\n';
const bookmark = '{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"9"}}}\n';

describe("a silent watch", () => {
  /** A watch whose connection sends these lines when the test asks for them, and then nothing. */
  function open(clock: ManualClock, hasHeaders = true) {
    const lines = new BoundedQueue<string>({ maxItems: 100, maxBytes: 1000 }, () => 1);
    const stop = new AbortController();
    const transport: KubeTransport = {
      async get(until) {
        if (!hasHeaders) {
          await waitFor(until, new Promise<never>(() => {}));
        }
        const body = (async function* () {
          for await (const line of lines.take(until)) {
            yield Buffer.from(line);
          }
        })();
        return { status: 200, headers: {}, body } as unknown as KubeResponse;
      },
    };
    const seen: string[] = [];
    let delay: Promise<void> | undefined;
    const watching = (async () => {
      const options = { resourceType, resourceVersion: "7", timeoutSeconds: 300, clock };
      for await (const event of watchEvents(stop.signal, transport, options)) {
        seen.push(event.type);
        await delay;
      }
      seen.push("end");
    })();
    return {
      seen,
      stop,
      watching,
      send: (line: string) => lines.offer(line),
      setDelay: (promise: Promise<void>) => {
        delay = promise;
      },
    };
  }

  it.each([true, false])("ends after 150 s (L23), with response headers: %s", async (hasHeaders) => {
    const clock = new ManualClock();
    const { seen, watching } = open(clock, hasHeaders);
    await clock.advance(149_999);
    expect(seen).toEqual([]);
    await clock.advance(1);
    await watching;
    expect(seen).toEqual(["end"]);
    expect(clock.pending).toBe(0);
  });

  it("lives as long as there are bookmarks", async () => {
    const clock = new ManualClock();
    const { seen, send, watching } = open(clock);
    for (let minute = 0; minute < 10; minute++) {
      send(bookmark);
      await clock.advance(60_000);
    }
    expect(seen).toEqual(Array.from({ length: 10 }, () => "bookmark"));
    await clock.advance(90_000);
    await watching;
    expect(seen.at(-1)).toBe("end");
  });

  it("is not one whose events wait for room", async () => {
    const clock = new ManualClock();
    const { seen, send, setDelay, watching } = open(clock);
    const room = Promise.withResolvers<void>();
    setDelay(room.promise);
    send(added);
    await clock.advance(600_000);
    room.resolve();
    send(bookmark);
    await clock.advance(149_000);
    expect(seen).toEqual(["put", "bookmark"]);
    await clock.advance(150_000);
    await watching;
  });

  it("ends with the reason of its caller", async () => {
    const clock = new ManualClock();
    const { stop, watching } = open(clock);
    await clock.advance(1_000);
    stop.abort(new Error("the agent stops"));
    await expect(watching).rejects.toThrow("the agent stops");
    expect(clock.pending).toBe(0);
  });
});

describe("a watch", () => {
  it.each([1, 3, 1000])("a watch yields its events from chunks of %d bytes", async (chunkBytes) => {
    const { events, error, url } = await watch({ text: added + bookmark, chunkBytes });
    expect(error).toBeUndefined();
    expect(events).toMatchObject([
      { type: "put", object: { metadata: { name: "ä" } } },
      { type: "bookmark", version: "9" },
    ]);
    expect(url).toBe(
      "/apis/apps/v1/deployments?watch=true&resourceVersion=7&allowWatchBookmarks=true&timeoutSeconds=300",
    );
  });

  it.each<[string, Answer, unknown]>([
    ["410 by status", { status: 410, text: "" }, WatchExpiredError],
    [
      "410 by event",
      { text: '{"type":"ERROR","object":{"code":410,"message":"too old"}}\n' },
      WatchExpiredError,
    ],
    ["another error event", { text: '{"type":"ERROR","object":{"code":500}}\n' }, KubeUnavailableError],
    ["429", { status: 429, text: "", retryAfterMs: 3000 }, KubeUnavailableError],
    ["a truncated event", { text: added.slice(0, -9) }, MalformedResponseError],
    ["an unknown event", { text: '{"type":"MOVED","object":{}}\n' }, MalformedResponseError],
    ["a bookmark without version", { text: '{"type":"BOOKMARK","object":{}}\n' }, MalformedResponseError],
  ])("a watch rejects for %s", async (_name, answer, expected) => {
    const { error } = await watch(answer);
    expect(error).toBeInstanceOf(expected);
  });

  it("the error of a watch has the value of Retry-After", async () => {
    expect((await watch({ status: 503, text: "<html>", retryAfterMs: 3000 })).error).toMatchObject({
      reason: "ServiceUnavailable",
      retryAfterMs: 3000,
    });
  });
});

describe("splitLines", () => {
  it("splitLines yields equal lines for every division into chunks", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.string({ unit: "binary", minLength: 1 }).map((line) => `x${line.replaceAll("\n", "")}`)),
        fc.array(fc.nat(30)),
        async (lines, cuts) => {
          const bytes = Buffer.from(lines.map((line) => `${line}\n`).join(""));
          const body = (async function* () {
            let at = 0;
            for (const size of cuts) {
              yield bytes.subarray(at, at + size);
              at += size;
            }
            yield bytes.subarray(at);
          })();
          expect(await Array.fromAsync(splitLines(body, 1_000_000))).toEqual(
            lines.map((l) => Buffer.from(l).toString()),
          );
        },
      ),
    );
  });

  it("splitLines refuses a line without an end", async () => {
    const body = (async function* () {
      for (let i = 0; i < 10; i++) {
        yield Buffer.alloc(10, "x");
      }
    })();
    await expect(Array.fromAsync(splitLines(body, 50))).rejects.toThrow("longer than 50 bytes");
  });
});
