import { create } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ResourceTypeSchema } from "../../../gen/proto/evenkeel/v1/resource_pb.ts";
import {
  KubeUnavailableError,
  MalformedResponseError,
  WatchExpiredError,
} from "../../../src/kube/kube-error.ts";
import { splitLines, type WatchEvent, watchEvents } from "../../../src/kube/watch.ts";
import { type Answer, scriptedTransport } from "../../support/kube/responses.ts";

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
