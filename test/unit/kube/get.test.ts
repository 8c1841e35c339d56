import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { ResourceTypeSchema } from "../../../gen/proto/evenkeel/v1/resource_pb.ts";
import { getObject } from "../../../src/kube/get.ts";
import { MalformedResponseError } from "../../../src/kube/kube-error.ts";
import { scriptedTransport } from "../../support/kube/responses.ts";

const signal = new AbortController().signal;
const resourceType = create(ResourceTypeSchema, { version: "v1", resource: "configmaps" });
const key = { namespace: "a", name: "x" };
const STATUS = { kind: "Status", apiVersion: "v1", reason: "NotFound", code: 404, details: { name: "x" } };

function get(status: number, body: unknown) {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  return getObject(signal, scriptedTransport([{ status, text }]), resourceType, key);
}

describe("getObject", () => {
  it("returns undefined for a Status NotFound that names the object", async () => {
    expect(await get(404, STATUS)).toBeUndefined();
  });

  it.each<[string, unknown]>([
    ["a text", "404 page not found"],
    ["a page", "<html>not found</html>"],
    ["an empty body", ""],
    ["an empty object", {}],
    ["an array", []],
    ["no details", { ...STATUS, details: undefined }],
    ["details without name", { ...STATUS, details: {} }],
    ["another name", { ...STATUS, details: { name: "y" } }],
    ["another reason", { ...STATUS, reason: "Forbidden" }],
    ["another code", { ...STATUS, code: 403 }],
    ["another kind", { ...STATUS, kind: "Error" }],
  ])("rejects a 404 with %s, which proves nothing (R51)", async (_name, body) => {
    const rejected = expect(get(404, body)).rejects;
    await rejected.toThrow(MalformedResponseError);
  });

  it("names URL and content type of a 404 that proves nothing", async () => {
    await expect(get(404, "no")).rejects.toThrow(
      /GET \/api\/v1\/namespaces\/a\/configmaps\/x: .*content type/,
    );
  });

  it.each([
    ["another name", { metadata: { name: "y", namespace: "a" } }],
    ["another namespace", { metadata: { name: "x", namespace: "b" } }],
    ["no name", { metadata: { namespace: "a" } }],
  ])("rejects an object with %s", async (_name, body) => {
    await expect(get(200, body)).rejects.toThrow(MalformedResponseError);
  });

  it("returns an object without uid and version", async () => {
    expect(await get(200, { metadata: { name: "x", namespace: "a" } })).toEqual({
      metadata: { name: "x", namespace: "a" },
    });
  });
});
