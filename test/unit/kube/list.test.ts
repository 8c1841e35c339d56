import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { ResourceTypeSchema } from "../../../gen/proto/evenkeel/v1/resource_pb.ts";
import { canonicalize } from "../../../src/domain/canonical-json.ts";
import type { KubeTransport } from "../../../src/kube/kube.ts";
import { ExpiredListError, KubeRefusedError, MalformedResponseError } from "../../../src/kube/kube-error.ts";
import type { KubeObject } from "../../../src/kube/kube-object.ts";
import { type ListOptions, listPages } from "../../../src/kube/list.ts";
import { type Answer, scriptedTransport } from "../../support/kube/responses.ts";

const signal = new AbortController().signal;
const resourceType = create(ResourceTypeSchema, { version: "v1", resource: "pods" });

function page(version: string, next: string, names: readonly string[]): Answer {
  const items = names.map((name) => ({ metadata: { name, namespace: "a", uid: "u", resourceVersion: "1" } }));
  const list = {
    apiVersion: "v1",
    kind: "PodList",
    metadata: { resourceVersion: version, continue: next },
    items,
  };
  return { text: JSON.stringify(list) };
}

async function listAll(answers: readonly Answer[], options: Partial<ListOptions> = {}) {
  const transport = scriptedTransport(answers);
  const items: KubeObject[] = [];
  for await (const { items: some } of listPages(signal, transport, {
    resourceType,
    metadataOnly: true,
    ...options,
  })) {
    items.push(...some);
  }
  return { items, requests: transport.requests };
}

describe("a list", () => {
  it("a list reads all pages, without a version and with metadata only", async () => {
    const { items, requests } = await listAll([page("9", "t", ["a", "b"]), page("9", "", ["c"])]);
    expect(items.map(({ metadata }) => metadata.name)).toEqual(["a", "b", "c"]);
    expect(requests.map(({ query }) => query)).toEqual([{ limit: "250" }, { limit: "250", continue: "t" }]);
    expect(requests[0]?.accept).toContain("as=PartialObjectMetadataList");
  });

  it("a list adds the type that the API server omits in items, and keeps numbers exact", async () => {
    const text =
      '{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"5"},"items":[{"metadata":{"name":"x","uid":"u","resourceVersion":"1"},"n":9007199254740993}]}';
    const { items } = await listAll([{ text }], { metadataOnly: false, namespace: "a" });
    expect(canonicalize(items[0])).toBe(
      '{"apiVersion":"v1","kind":"Pod","metadata":{"name":"x","resourceVersion":"1","uid":"u"},"n":9007199254740993}',
    );
  });

  /** An API server with objects of these sizes, which counts the bytes that are read. */
  function serveSizes(sizes: readonly number[], ignoresLimit = false) {
    const limits: number[] = [];
    let maxRead = 0;
    const transport: KubeTransport = {
      async get(_signal, { query }) {
        const start = Number(query?.["continue"] ?? 0);
        const limit = Number(query?.["limit"]);
        limits.push(limit);
        const end = ignoresLimit ? sizes.length : Math.min(sizes.length, start + limit);
        const next = end < sizes.length ? String(end) : "";
        const metadata = JSON.stringify({ resourceVersion: "9", continue: next });
        const body = (async function* () {
          let read = 0;
          yield Buffer.from(`{"kind":"ConfigMapList","metadata":${metadata},"items":[`);
          for (const [index, size] of sizes.slice(start, end).entries()) {
            const name = `"name":"n${start + index}","uid":"u","resourceVersion":"1"`;
            yield Buffer.from(`${index === 0 ? "" : ","}{"metadata":{${name}},"data":"${"x".repeat(size)}"}`);
            read += size;
            maxRead = Math.max(maxRead, read);
          }
          yield Buffer.from("]}");
        })();
        return { status: 200, retryAfterMs: undefined, body };
      },
    };
    return { transport, limits, maxRead: () => maxRead };
  }

  const MIB = 1024 * 1024;
  const listNames = async (transport: KubeTransport): Promise<(string | undefined)[]> => {
    const pages = await Array.fromAsync(listPages(signal, transport, { resourceType, metadataOnly: false }));
    return pages.flatMap(({ items }) => items.map(({ metadata }) => metadata.name));
  };

  it("a page has at most 8 MiB, or one object, and later pages grow again (L27)", async () => {
    const sizes = [
      ...Array.from({ length: 40 }, () => 0.95 * MIB),
      ...Array.from({ length: 300 }, () => 100),
    ];
    const { transport, limits, maxRead } = serveSizes(sizes);
    expect(await listNames(transport)).toEqual(sizes.map((_, index) => `n${index}`));
    expect(limits).toEqual([250, 125, 62, 31, 15, 7, 7, 7, 7, 7, 7, 7, 14, 28, 56, 112, 224]);
    expect(maxRead()).toBeLessThan(10 * MIB);
  });

  it("an object of more than 8 MiB is a page of its own", async () => {
    const { transport } = serveSizes([10, 20 * MIB, 10]);
    expect(await listNames(transport)).toEqual(["n0", "n1", "n2"]);
  });

  it("a server that ignores the limit is read in one page", async () => {
    const { transport, limits } = serveSizes([6 * MIB, 6 * MIB], true);
    expect(await listNames(transport)).toEqual(["n0", "n1"]);
    expect(limits.at(-1)).toBe(1);
  });

  it("an object of more than 64 MiB fails the list", async () => {
    const { transport } = serveSizes([65 * MIB]);
    await expect(listNames(transport)).rejects.toThrow("GET /api/v1/pods: expected at most 67108864 bytes");
  });

  it("R7: a list rejects when its token expires", async () => {
    await expect(listAll([page("9", "t", ["a"]), { status: 410, text: "{}" }])).rejects.toThrow(
      ExpiredListError,
    );
  });

  it("a list with null items is empty", async () => {
    const { items } = await listAll([
      { text: '{"kind":"PodList","metadata":{"resourceVersion":"5"},"items":null}' },
    ]);
    expect(items).toEqual([]);
  });

  it.each([
    ["an empty version", '{"resourceVersion":""}'],
    ["no version", "{}"],
    ["a version of null", '{"resourceVersion":null}'],
  ])("a list with %s is complete, and its version is empty (R53)", async (_name, metadata) => {
    const text = `{"kind":"PodList","metadata":${metadata},"items":[{"metadata":{"name":"x"}}]}`;
    const transport = scriptedTransport([{ text }]);
    const pages = await Array.fromAsync(listPages(signal, transport, { resourceType, metadataOnly: true }));
    expect(pages.map(({ version, items }) => [version, items.length])).toEqual([["", 1]]);
  });

  it.each<[string, Answer[]]>([
    ["a page of another version", [page("9", "t", ["a"]), page("10", "", ["b"])]],
    ["a truncated body", [{ text: page("9", "", ["a"]).text.slice(0, -10) }]],
    ["a list without items", [{ text: '{"kind":"PodList","metadata":{"resourceVersion":"5"}}' }]],
    ["a page without the kind of a list", [{ text: '{"metadata":{"resourceVersion":"5"},"items":[]}' }]],
    ["an object", [{ text: '{"kind":"Pod","metadata":{"resourceVersion":"5"},"items":[]}' }]],
    [
      "a version that is no text",
      [{ text: '{"kind":"PodList","metadata":{"resourceVersion":5},"items":[]}' }],
    ],
    ["a page that states no version behind one that does", [page("9", "t", ["a"]), page("", "", ["b"])]],
    [
      "an item without name",
      [{ text: '{"kind":"PodList","metadata":{"resourceVersion":"5"},"items":[{}]}' }],
    ],
    ["an array", [{ text: "[]" }]],
    ["nothing", [{ text: "" }]],
  ])("R11: %s is not a list", async (_name, answers) => {
    await expect(listAll(answers)).rejects.toThrow(MalformedResponseError);
  });

  it("R11: a refusal is not a list, and its error has the reason", async () => {
    const text = JSON.stringify({ kind: "Status", message: "pods is forbidden" });
    const error = await listAll([{ status: 403, text }]).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(KubeRefusedError);
    expect(error).toMatchObject({
      reason: "Forbidden",
      message: expect.stringContaining("pods is forbidden"),
    });
  });
});
