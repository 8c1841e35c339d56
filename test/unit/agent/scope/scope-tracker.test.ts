import { create } from "@bufbuild/protobuf";
import { expect, it } from "vitest";
import { ResourceTypeSchema } from "../../../../gen/proto/evenkeel/v1/resource_pb.ts";
import { ScopeTracker } from "../../../../src/agent/scope/scope-tracker.ts";
import type { KubeTransport } from "../../../../src/kube/kube.ts";
import { respond } from "../../../support/agent/agent-world.ts";

/** States of every object that it does not exist. */
const kube: KubeTransport = {
  get: async (_signal, { path }) =>
    respond(404, {
      kind: "Status",
      reason: "NotFound",
      code: 404,
      details: { name: path.split("/").at(-1) },
    }),
};

it("R11: a discovery that is not complete is not the first of the two that prove absence", async () => {
  const { signal } = new AbortController();
  const tracker = new ScopeTracker(kube, () => true);
  tracker.learn([create(ResourceTypeSchema, { group: "example.com", version: "v1", resource: "widgets" })]);
  const lacking = async (isComplete: boolean): Promise<number> => {
    const discovery = { resources: [], unanswered: [] };
    return (await tracker.update(signal, { discovery, selected: [], isComplete })).removed.length;
  };
  expect(await lacking(false)).toBe(0);
  expect(await lacking(true)).toBe(0);
  expect(await lacking(true)).toBe(1);
});
