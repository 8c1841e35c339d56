import type { SimulatedObject } from "../../src/simulation/simulated-object.ts";
import { widgetDefinition } from "../../src/simulation/workload-objects.ts";

const GROUP = "bench.example.com";

/** Returns the definition of the custom resource type number `index`. */
export function createDefinition(index: number): SimulatedObject {
  const names = {
    plural: `things${index}`,
    singular: `thing${index}`,
    kind: `Thing${index}`,
    listKind: `Thing${index}List`,
  };
  const definition = widgetDefinition();
  const [version] = (definition.spec as { readonly versions: readonly object[] }).versions;
  return {
    ...definition,
    metadata: { name: `${names.plural}.${GROUP}` },
    spec: { group: GROUP, scope: "Namespaced", names, versions: [{ ...version }] },
    status: { acceptedNames: names, storedVersions: ["v1"], conditions: [] },
  } as SimulatedObject;
}

/** True if a request is for objects of a custom resource type, not for its discovery. */
export function isCustomPath(url: string): boolean {
  return url.startsWith(`/apis/${GROUP}/v1/`);
}
