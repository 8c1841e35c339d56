import { describe, expect, it } from "vitest";
import { discover } from "../../../src/kube/discovery.ts";
import { type Answer, scriptedTransport } from "../../support/kube/responses.ts";

const signal = new AbortController().signal;
const json = (value: unknown): Answer => ({ text: JSON.stringify(value) });
const groups = json({
  groups: [
    {
      name: "apps",
      versions: [{ version: "v1beta1" }, { version: "v1" }],
      preferredVersion: { version: "v1" },
    },
  ],
});
const core = json({
  resources: [
    { name: "pods", namespaced: true, verbs: ["list", "watch"] },
    { name: "pods/log", namespaced: true, verbs: ["get"] },
  ],
});
const apps = json({ resources: [{ name: "deployments", namespaced: true, verbs: ["list", "watch"] }] });

describe("discovery", () => {
  it("discovery returns resources without subresources, the preferred version first", async () => {
    const { resources, unanswered } = await discover(signal, scriptedTransport([groups, core, apps, apps]));
    expect(resources.map(({ group, version, resource }) => [group, version, resource])).toEqual([
      ["", "v1", "pods"],
      ["apps", "v1", "deployments"],
      ["apps", "v1beta1", "deployments"],
    ]);
    expect(unanswered).toEqual([]);
  });

  it.each([503, 500, 403, 429])(
    "R11: discovery reports a group that answers %d; its resources still exist",
    async (status) => {
      const transport = scriptedTransport([groups, core, { status, text: "" }, apps]);
      const { resources, unanswered } = await discover(signal, transport);
      expect(unanswered).toMatchObject([{ group: "apps", version: "v1" }]);
      expect(resources).toHaveLength(2);
    },
  );

  it("R11: discovery reports the core group after every failure", async () => {
    const transport = scriptedTransport([groups, { status: 404, text: "" }, apps, apps]);
    expect((await discover(signal, transport)).unanswered).toMatchObject([{ group: "", version: "v1" }]);
  });

  it("R70: discovery reports a listed group that answers 404; only the next list of groups may lack it", async () => {
    const transport = scriptedTransport([groups, core, apps, { status: 404, text: "" }]);
    expect((await discover(signal, transport)).unanswered).toMatchObject([{ reason: "NotFound" }]);
  });

  it.each<Answer>([{ status: 503, text: "" }, json({}), { text: "<html>" }])(
    "discovery rejects without a list of groups",
    async (answer) => {
      await expect(discover(signal, scriptedTransport([answer]))).rejects.toThrow("/apis");
    },
  );
});
