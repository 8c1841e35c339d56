import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { createControlPlane, describeWithKube } from "../../../support/kube/control-plane.ts";
import { createKubeClient } from "../../../support/kube/kube-client.ts";

describeWithKube("a control plane for tests", (controlPlane) => {
  const { signal } = new AbortController();
  const path = "/api/v1/namespaces/default/configmaps";

  it("lets the restricted user do only what a test binds to it", async () => {
    const { restrictedToken } = controlPlane();
    const admin = createKubeClient(controlPlane());
    const restricted = createKubeClient({ ...controlPlane(), token: restrictedToken });
    // All files share the control plane: this resource is bound by no other.
    const secrets = { path: "/api/v1/namespaces/default/secrets" };
    const role = "/apis/rbac.authorization.k8s.io/v1/namespaces/default/";
    expect((await restricted.get(signal, secrets)).status).toBe(403);
    const rules = [{ apiGroups: [""], resources: ["secrets"], verbs: ["list"] }];
    await admin.send("POST", `${role}roles`, { metadata: { name: "reader" }, rules });
    await admin.send("POST", `${role}rolebindings`, {
      metadata: { name: "reader" },
      subjects: [{ kind: "User", name: "restricted", apiGroup: "rbac.authorization.k8s.io" }],
      roleRef: { kind: "Role", name: "reader", apiGroup: "rbac.authorization.k8s.io" },
    });
    await expect.poll(async () => (await restricted.get(signal, secrets)).status).toBe(200);
  });

  it("has a kubeconfig that names it", () => {
    const { kubeconfigPath, serverUrl } = controlPlane();
    expect(JSON.parse(readFileSync(kubeconfigPath, "utf8")).clusters[0].cluster.server).toBe(serverUrl);
  });

  it("keeps its objects over a restart", { timeout: 240_000 }, async () => {
    await using own = await createControlPlane();
    const client = createKubeClient(own);
    await client.send("POST", path, { metadata: { name: "kept" } });
    await own.restart();
    expect((await client.get(signal, { path: `${path}/kept` })).status).toBe(200);
  });
});
