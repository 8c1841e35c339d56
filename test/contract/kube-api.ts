import { expect, it } from "vitest";
import type { KubeTransport } from "../../src/kube/kube.ts";

/** The API server under test. */
export interface KubeApiFixture {
  readonly transport: KubeTransport;
  /** Creates a ConfigMap. Its namespace exists already or is not necessary. */
  createConfigMap(namespace: string, name: string, value: string): Promise<void>;
  updateConfigMap(namespace: string, name: string, value: string): Promise<void>;
  deleteConfigMap(namespace: string, name: string): Promise<void>;
}

interface Metadata {
  readonly name: string;
  readonly namespace: string;
  readonly resourceVersion: string;
  readonly uid: string;
}

interface List {
  readonly kind: string;
  readonly apiVersion: string;
  readonly metadata: {
    readonly resourceVersion: string;
    readonly continue?: string;
    readonly remainingItemCount?: number;
  };
  readonly items: readonly { readonly kind?: string; readonly metadata: Metadata; readonly data?: unknown }[];
}

interface WatchEvent {
  readonly type: string;
  readonly object: {
    readonly kind: string;
    readonly code?: number;
    readonly reason?: string;
    readonly metadata: Partial<Metadata> & { readonly annotations?: Record<string, string> };
    readonly data?: unknown;
  };
}

const metadataList = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";
const metadataObject = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";

/**
 * Tests the behaviour of a Kubernetes API server on which a reflector depends. It runs against the simulated
 * server and a real kube-apiserver, so that the simulation cannot be more tolerant. Only this contract uses
 * the namespaces "a" and "a-b".
 */
export function itIsAKubeApi(fixture: () => KubeApiFixture): void {
  const { signal } = new AbortController();

  const get = async (path: string, query: Record<string, string> = {}, accept = "application/json") => {
    const response = await fixture().transport.get(signal, { path, query, accept });
    const chunks = await Array.fromAsync(response.body);
    return { status: response.status, text: Buffer.concat(chunks).toString() };
  };
  const list = async (
    query: Record<string, string> = {},
    accept?: string,
    namespace?: string,
  ): Promise<List> => {
    const path =
      namespace === undefined ? "/api/v1/configmaps" : `/api/v1/namespaces/${namespace}/configmaps`;
    const { status, text } = await get(path, query, accept);
    expect(status, text).toBe(200);
    return JSON.parse(text);
  };
  /** Returns all events that a watch sends until its `timeoutSeconds` end it. */
  const watch = async (query: Record<string, string>, accept?: string): Promise<WatchEvent[]> => {
    const all = { watch: "1", timeoutSeconds: "1", ...query };
    const { text } = await get("/api/v1/namespaces/a/configmaps", all, accept);
    return text
      .split("\n")
      .filter(Boolean)
      .map((line) => JSON.parse(line));
  };
  const keys = (page: List): string[] =>
    page.items.map((item) => `${item.metadata.namespace}/${item.metadata.name}`);
  const ours = (page: List): string[] => keys(page).filter((key) => /^a(-b)?\//.test(key));

  it("a list is in the order of etcd's keys, with a-b/x before a/x", async () => {
    await fixture().createConfigMap("a", "x", "1");
    await fixture().createConfigMap("a-b", "x", "1");
    await fixture().createConfigMap("a", "x-y", "1");
    const page = await list();
    expect(ours(page)).toEqual(["a-b/x", "a/x", "a/x-y"]);
    expect(page).toMatchObject({ kind: "ConfigMapList", apiVersion: "v1" });
    expect(page.items[0]).not.toHaveProperty("kind");
  });

  it("each page of a list has the version of the first page", async () => {
    const first = await list({ limit: "1" }, undefined, "a");
    expect(keys(first)).toEqual(["a/x"]);
    expect(first.metadata.remainingItemCount).toBe(1);
    await fixture().createConfigMap("a", "x-z", "1");
    const second = await list({ limit: "1", continue: first.metadata.continue ?? "" }, undefined, "a");
    expect(keys(second)).toEqual(["a/x-y"]);
    expect(second.metadata.resourceVersion).toBe(first.metadata.resourceVersion);
    expect(second.metadata.continue ?? "").toBe("");
  });

  it("a list can have metadata only", async () => {
    const page = await list({ limit: "1" }, metadataList, "a");
    expect(page).toMatchObject({ kind: "PartialObjectMetadataList", apiVersion: "meta.k8s.io/v1" });
    expect(page.items[0]).toMatchObject({
      kind: "PartialObjectMetadata",
      metadata: { name: "x", namespace: "a" },
    });
    expect(page.items[0]).not.toHaveProperty("data");
  });

  it("the server returns one object, whole or as metadata", async () => {
    const path = "/api/v1/namespaces/a/configmaps/x";
    expect(JSON.parse((await get(path)).text)).toMatchObject({ kind: "ConfigMap", data: { value: "1" } });
    const metadata = JSON.parse((await get(path, {}, metadataObject)).text);
    expect(metadata).toMatchObject({ kind: "PartialObjectMetadata", metadata: { name: "x" } });
    expect(metadata).not.toHaveProperty("data");
  });

  it("a list at an exact version has the objects of that version", async () => {
    const before = await list({}, undefined, "a");
    await fixture().updateConfigMap("a", "x", "2");
    const exact = { resourceVersion: before.metadata.resourceVersion, resourceVersionMatch: "Exact" };
    expect((await list(exact, undefined, "a")).items).toEqual(before.items);
  });

  it("a list is not older than the requested version", async () => {
    const now = (await list()).metadata.resourceVersion;
    const later = await list({ resourceVersion: now, resourceVersionMatch: "NotOlderThan" });
    expect(BigInt(later.metadata.resourceVersion)).toBeGreaterThanOrEqual(BigInt(now));
  });

  it("the server answers 504 to a list at a future version", async () => {
    const { status, text } = await get("/api/v1/configmaps", { resourceVersion: "999999999" });
    expect(status).toBe(504);
    expect(JSON.parse(text)).toMatchObject({
      kind: "Status",
      reason: "Timeout",
      code: 504,
      message: expect.stringMatching(/^Timeout: Too large resource version: 999999999, current: \d+$/),
      details: { retryAfterSeconds: 1, causes: [{ reason: "ResourceVersionTooLarge" }] },
    });
  });

  it.each([
    ["a match without a version", { resourceVersionMatch: "Exact" }, 422, "Invalid"],
    ["a match that does not exist", { resourceVersion: "1", resourceVersionMatch: "Older" }, 422, "Invalid"],
    ["an exact version 0", { resourceVersion: "0", resourceVersionMatch: "Exact" }, 422, "Invalid"],
    [
      "a match in a watch",
      { watch: "1", resourceVersion: "1", resourceVersionMatch: "Exact" },
      422,
      "Invalid",
    ],
    ["a version that is not a number", { resourceVersion: "abc" }, 400, "BadRequest"],
    ["a token that is not valid", { continue: "abc" }, 400, "BadRequest"],
    ["a limit that is not a number", { limit: "abc" }, 400, "BadRequest"],
  ])("the server refuses %s", async (_what, query, code, reason) => {
    const { status, text } = await get("/api/v1/configmaps", query);
    expect(status).toBe(code);
    expect(JSON.parse(text)).toMatchObject({ kind: "Status", status: "Failure", code, reason });
  });

  it("the server refuses a version together with a token", async () => {
    const { metadata } = await list({ limit: "1" }, undefined, "a");
    const query = { continue: metadata.continue ?? "", resourceVersion: metadata.resourceVersion };
    expect((await get("/api/v1/namespaces/a/configmaps", query)).status).toBe(400);
  });

  it.each([
    ["an object", "/api/v1/namespaces/a/configmaps/none", { name: "none", kind: "configmaps" }],
    ["a resource", "/api/v1/none", {}],
    ["a resource of a group", "/apis/apps/v1/none", {}],
  ])("the server answers 404 to %s that does not exist", async (_what, path, details) => {
    const { status, text } = await get(path);
    expect(status).toBe(404);
    expect(JSON.parse(text)).toMatchObject({ kind: "Status", reason: "NotFound", code: 404, details });
  });

  it("the server answers 404 to a group that it does not serve", async () => {
    expect(await get("/apis/none.example.com/v1")).toEqual({ status: 404, text: "404 page not found\n" });
  });

  it("the server refuses representations that it does not support", async () => {
    expect((await get("/api/v1/configmaps", {}, metadataObject)).status).toBe(406);
    expect((await get("/api/v1/configmaps", {}, "text/plain")).status).toBe(406);
  });

  it("a list of a namespace that does not exist is empty", async () => {
    expect((await list({}, undefined, "none")).items).toEqual([]);
  });

  it("a watch starts at a list's version, and sends a deleted object at the version of its deletion", async () => {
    const { metadata } = await list({}, undefined, "a");
    await fixture().createConfigMap("a", "w", "1");
    await fixture().updateConfigMap("a", "w", "2");
    await fixture().createConfigMap("a-b", "w", "1");
    await fixture().deleteConfigMap("a", "w");
    const events = await watch({ resourceVersion: metadata.resourceVersion });
    expect(events.map(({ type, object }) => [type, object.metadata.name, object.data])).toEqual([
      ["ADDED", "w", { value: "1" }],
      ["MODIFIED", "w", { value: "2" }],
      ["DELETED", "w", { value: "2" }],
    ]);
    expect(events[0]?.object.kind).toBe("ConfigMap");
    const versions = events.map(({ object }) => Number(object.metadata.resourceVersion));
    expect(versions).toEqual([...versions].sort((a, b) => a - b));
    expect(new Set(versions).size).toBe(3);
  });

  it("a watch can have metadata only", async () => {
    const { metadata } = await list({}, undefined, "a");
    await fixture().createConfigMap("a", "m", "1");
    const events = await watch({ resourceVersion: metadata.resourceVersion }, metadataObject);
    expect(events[0]).toMatchObject({
      type: "ADDED",
      object: { kind: "PartialObjectMetadata", metadata: { name: "m" } },
    });
    expect(events[0]?.object).not.toHaveProperty("data");
  });

  it("a watch of any version starts with the existing objects, and marks their end with a bookmark", async () => {
    const page = await list({}, undefined, "a");
    const events = await watch({ resourceVersion: "0", allowWatchBookmarks: "true" });
    const bookmark = events.findIndex(({ type }) => type === "BOOKMARK");
    expect(events.slice(0, bookmark).map(({ type }) => type)).toEqual(page.items.map(() => "ADDED"));
    expect(events[bookmark]?.object).toMatchObject({
      kind: "ConfigMap",
      metadata: { annotations: { "k8s.io/initial-events-end": "true" } },
    });
  });

  it("the server accepts a watch from a future version, and sends nothing", async () => {
    expect(await watch({ resourceVersion: "999999999" })).toEqual([]);
  });

  it("discovery returns the served resources", async () => {
    expect(JSON.parse((await get("/api")).text)).toMatchObject({ kind: "APIVersions", versions: ["v1"] });
    const { groups } = JSON.parse((await get("/apis")).text);
    expect(groups).toContainEqual({
      name: "apps",
      versions: [{ groupVersion: "apps/v1", version: "v1" }],
      preferredVersion: { groupVersion: "apps/v1", version: "v1" },
    });
    const core = JSON.parse((await get("/api/v1")).text);
    expect(core).toMatchObject({ kind: "APIResourceList", groupVersion: "v1" });
    const pods = core.resources.find(({ name }: { name: string }) => name === "pods");
    expect(pods).toMatchObject({ singularName: "pod", namespaced: true, kind: "Pod", shortNames: ["po"] });
    expect(pods.verbs).toEqual(expect.arrayContaining(["get", "list", "watch"]));
    const names = core.resources.map(({ name }: { name: string }) => name);
    expect(names).toEqual(expect.arrayContaining(["bindings", "pods/log", "pods/status"]));
  });

  it("the server returns its readiness and its version", async () => {
    expect(await get("/readyz")).toEqual({ status: 200, text: "ok" });
    expect(JSON.parse((await get("/version")).text)).toMatchObject({ major: "1", minor: expect.any(String) });
  });
}
