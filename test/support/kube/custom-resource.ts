import { expect } from "vitest";
import { eventually } from "../e2e/eventually.ts";
import type { KubeClient } from "./kube-client.ts";

const DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";

/** A namespaced custom resource of a test, whose objects may have any field. They are in `default`. */
export interface CustomResource {
  /** Creates the definition with one version, and waits until that is served. */
  install(version: string): Promise<void>;
  /** Deletes the definition, and waits until the API server has deleted its objects too. */
  uninstall(): Promise<void>;
  create(version: string, name: string): Promise<unknown>;
}

/** Describes a resource such as "anchors" in "example.com"; does not create it. */
export function createCustomResource(client: KubeClient, group: string, plural: string): CustomResource {
  const singular = plural.slice(0, -1);
  const kind = `${singular[0]?.toUpperCase()}${singular.slice(1)}`;
  const name = `${plural}.${group}`;
  const pathOf = (version: string): string => `/apis/${group}/${version}/namespaces/default/${plural}`;
  const untilStatus = (path: string, expected: number): Promise<void> =>
    eventually(`GET ${path} to be answered with ${expected}`, async () => {
      const { status, body } = await client.get(AbortSignal.timeout(10_000), { path });
      for await (const _ of body) {
        // A body that is not read keeps its connection.
      }
      expect(status).toBe(expected);
    });
  return {
    async install(version) {
      const schema = {
        openAPIV3Schema: { type: "object", "x-kubernetes-preserve-unknown-fields": true },
      };
      await client.send("POST", DEFINITIONS, {
        apiVersion: "apiextensions.k8s.io/v1",
        kind: "CustomResourceDefinition",
        metadata: { name },
        spec: {
          group,
          scope: "Namespaced",
          names: { plural, singular, kind },
          versions: [{ name: version, served: true, storage: true, schema }],
        },
      });
      await untilStatus(pathOf(version), 200);
    },
    async uninstall() {
      await client.send("DELETE", `${DEFINITIONS}/${name}`);
      await untilStatus(`${DEFINITIONS}/${name}`, 404);
    },
    create: (version, objectName) =>
      client.send("POST", pathOf(version), {
        apiVersion: `${group}/${version}`,
        kind,
        metadata: { name: objectName },
      }),
  };
}
