import { create, equals } from "@bufbuild/protobuf";
import { type ResourceType, ResourceTypeSchema } from "../../../gen/proto/evenkeel/v1/resource_pb.ts";
import { ResourceScopeSchema } from "../../../gen/proto/evenkeel/v1/scope_pb.ts";
import { resourceTypeKey } from "../../domain/resource-type.ts";
import type { Discovery } from "../../kube/discovery.ts";
import { getObject } from "../../kube/get.ts";
import type { KubeTransport } from "../../kube/kube.ts";
import type { SelectedResource } from "./select-resources.ts";

const CUSTOM_RESOURCES = resourceTypeOf("apiextensions.k8s.io", "customresourcedefinitions");
const API_SERVICES = resourceTypeOf("apiregistration.k8s.io", "apiservices");

/**
 * Tracks the resource types in the scope from one discovery to the next.
 *
 * A resource type that the server no longer serves stays in the scope until two successive complete
 * discoveries lack it and its definition is absent too (404): a resource type that leaves the scope loses all
 * of its rows.
 */
export class ScopeTracker {
  readonly #kube: KubeTransport;
  #resources: readonly SelectedResource[] = [];
  #lacking: ReadonlySet<string> = new Set();

  constructor(kube: KubeTransport) {
    this.#kube = kube;
  }

  /** Resource types in the scope. */
  get resources(): readonly SelectedResource[] {
    return this.#resources;
  }

  /** Applies the selection of the latest discovery. Returns true if the scope changed. */
  async update(
    signal: AbortSignal,
    discovery: Discovery,
    selected: readonly SelectedResource[],
  ): Promise<boolean> {
    const found = new Map(selected.map((resourceType) => [selectedResourceKey(resourceType), resourceType]));
    const lacking = new Set(this.#resources.map(selectedResourceKey).filter((key) => !found.has(key)));
    const kept = new Map(found);
    for (const resourceType of this.#resources) {
      const key = selectedResourceKey(resourceType);
      const isGone =
        lacking.has(key) && this.#lacking.has(key) && (await this.#isGone(signal, discovery, resourceType));
      if (lacking.has(key) && !isGone) {
        kept.set(key, resourceType);
      }
    }
    // An incomplete discovery proves no absence.
    this.#lacking = discovery.unanswered.length === 0 ? lacking : new Set();
    const resources = [...kept]
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([, resourceType]) => resourceType);
    const isSame =
      resources.length === this.#resources.length &&
      resources.every((resourceType, i) => isSameResource(resourceType, this.#resources[i]));
    this.#resources = resources;
    return !isSame;
  }

  async #isGone(signal: AbortSignal, discovery: Discovery, { scope }: SelectedResource): Promise<boolean> {
    const { resourceType } = scope;
    if (resourceType === undefined || discovery.unanswered.length > 0) {
      return false;
    }
    const definition = { namespace: "", name: `${resourceType.resource}.${resourceType.group}` };
    if ((await getObject(signal, this.#kube, CUSTOM_RESOURCES, definition)) !== undefined) {
      return false;
    }
    const service = { namespace: "", name: `${resourceType.version}.${resourceType.group}` };
    const groupAnswers = discovery.resources.some(
      ({ group, version }) => group === resourceType.group && version === resourceType.version,
    );
    return groupAnswers || (await getObject(signal, this.#kube, API_SERVICES, service)) === undefined;
  }
}

/** Returns the identity of a selected resource type. */
export function selectedResourceKey({ scope }: SelectedResource): string {
  return resourceTypeKey(scope.resourceType);
}

/** True if two resource types are read in the same way. */
export function isSameResource(a: SelectedResource, b: SelectedResource | undefined): boolean {
  return b !== undefined && a.isWatchable === b.isWatchable && equals(ResourceScopeSchema, a.scope, b.scope);
}

function resourceTypeOf(group: string, resource: string): ResourceType {
  return create(ResourceTypeSchema, { group, version: "v1", resource });
}
