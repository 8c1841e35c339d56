import { beforeAll } from "vitest";
import { describeWithKube } from "../support/kube/control-plane.ts";
import { createKubeClient, type KubeClient } from "../support/kube/kube-client.ts";
import { itIsAKubeApi, type KubeApiFixture } from "./kube-api.ts";

describeWithKube("kube-apiserver is what the simulated cluster is held to", (controlPlane) => {
  let client: KubeClient;
  beforeAll(async () => {
    client = createKubeClient(controlPlane());
    for (const name of ["a", "a-b"]) {
      await client.send("POST", "/api/v1/namespaces", { metadata: { name } });
    }
  });
  const path = (namespace: string): string => `/api/v1/namespaces/${namespace}/configmaps`;
  const fixture = (): KubeApiFixture => ({
    transport: client,
    createConfigMap: async (namespace, name, value) => {
      await client.send("POST", path(namespace), { metadata: { name }, data: { value } });
    },
    updateConfigMap: async (namespace, name, value) => {
      await client.send("PATCH", `${path(namespace)}/${name}`, { data: { value } });
    },
    deleteConfigMap: async (namespace, name) => {
      await client.send("DELETE", `${path(namespace)}/${name}`);
    },
  });
  itIsAKubeApi(fixture);
});
