import { create, equals } from "@bufbuild/protobuf";
import { type ResourceType, ResourceTypeSchema } from "../../../gen/proto/evenkeel/v1/resource_pb.ts";
import {
  RemovalReason,
  type RemovedResource,
  RemovedResourceSchema,
  ResourceScopeSchema,
} from "../../../gen/proto/evenkeel/v1/scope_pb.ts";
import { resourceTypeKey } from "../../domain/resource-type.ts";
import type { Discovery } from "../../kube/discovery.ts";
import { getObject } from "../../kube/get.ts";
import type { KubeTransport } from "../../kube/kube.ts";
import type { SelectedResource } from "./select-resources.ts";

/** The resource types whose objects define what the API server serves. */
export const CUSTOM_RESOURCES = resourceTypeOf("apiextensions.k8s.io", "customresourcedefinitions");
export const API_SERVICES = resourceTypeOf("apiregistration.k8s.io", "apiservices");

/** Resource types that the scope may lack from now on. */
export interface ScopeChange {
  /** True if the scope must be declared again. */
  readonly isChanged: boolean;
  /** Resource types that left the scope with this change. */
  readonly removed: readonly RemovedResource[];
  /** Number of resource types that are missing in the discovery, without proof that they are gone. */
  readonly undecided: number;
}

/** One discovery, and the part of it that the configuration selects. */
export interface DiscoveredScope {
  readonly discovery: Discovery;
  readonly selected: readonly SelectedResource[];
  /** True if the API server is ready and each group answered: only then is absence a statement. */
  readonly isComplete: boolean;
}

/**
 * Tracks the resource types in the scope from one discovery to the next, beginning with those that Postgres has from
 * earlier processes.
 *
 * Absence from a discovery is no statement: an API server that starts answers with a part of its groups. A resource
 * type leaves the scope only if two successive complete discoveries lack it and its definition is absent too, or if the
 * configuration excludes it. Until then it is undecided, and its rows stay.
 */
export class ScopeTracker {
  readonly #kube: KubeTransport;
  readonly #isConfigured: (resourceType: ResourceType) => boolean;
  #resources: readonly SelectedResource[] = [];
  /** Resource types that Postgres has and no discovery of this process has had. */
  readonly #stored = new Map<string, ResourceType>();
  #lacking: ReadonlySet<string> = new Set();
  #isDeclared = false;

  constructor(kube: KubeTransport, isConfigured: (resourceType: ResourceType) => boolean) {
    this.#kube = kube;
    this.#isConfigured = isConfigured;
  }

  /** Adds the resource types that Postgres has. A lost declaration is thereby made up for in the next session. */
  learn(stored: readonly ResourceType[]): void {
    const known = new Set(this.#resources.map(selectedResourceKey));
    for (const resourceType of stored) {
      const key = resourceTypeKey(resourceType);
      if (!known.has(key)) {
        this.#stored.set(key, resourceType);
      }
    }
  }

  /** Resource types that are read. */
  get resources(): readonly SelectedResource[] {
    return this.#resources;
  }

  /** Applies the latest discovery. */
  async update(
    signal: AbortSignal,
    { discovery, selected, isComplete }: DiscoveredScope,
  ): Promise<ScopeChange> {
    const found = new Map(selected.map((resource) => [selectedResourceKey(resource), resource]));
    const removed: RemovedResource[] = [];
    const lacking = new Set<string>();
    const kept = new Map(found);
    const isGone = async (key: string, resourceType: ResourceType): Promise<boolean> => {
      lacking.add(key);
      return (
        isComplete && this.#lacking.has(key) && (await this.#isUndefined(signal, discovery, resourceType))
      );
    };
    for (const [key, resourceType] of this.#stored) {
      if (found.has(key)) {
        this.#stored.delete(key);
      } else if (!this.#isConfigured(resourceType)) {
        removed.push(toRemoved(resourceType, RemovalReason.EXCLUDED));
      } else if (await isGone(key, resourceType)) {
        removed.push(toRemoved(resourceType, RemovalReason.NOT_SERVED));
      }
    }
    for (const resource of this.#resources) {
      const key = selectedResourceKey(resource);
      const { resourceType } = resource.scope;
      if (resourceType === undefined || found.has(key)) {
        continue;
      }
      if (await isGone(key, resourceType)) {
        removed.push(toRemoved(resourceType, RemovalReason.NOT_SERVED));
      } else {
        kept.set(key, resource);
      }
    }
    for (const { resourceType } of removed) {
      lacking.delete(resourceTypeKey(resourceType));
      this.#stored.delete(resourceTypeKey(resourceType));
    }
    // An incomplete discovery proves no absence.
    this.#lacking = isComplete ? lacking : new Set();
    const isChanged = !this.#isDeclared || removed.length > 0 || !this.#isSame(kept);
    this.#isDeclared = true;
    this.#resources = [...kept].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, resource]) => resource);
    return { isChanged, removed, undecided: lacking.size };
  }

  #isSame(kept: ReadonlyMap<string, SelectedResource>): boolean {
    return (
      kept.size === this.#resources.length &&
      this.#resources.every((resource) => isSameResource(resource, kept.get(selectedResourceKey(resource))))
    );
  }

  /**
   * True if the API server states that the definition of the resource type, a CustomResourceDefinition or an
   * APIService, does not exist. A server without APIServices never proves that a whole group is gone.
   */
  async #isUndefined(
    signal: AbortSignal,
    discovery: Discovery,
    { group, version, resource }: ResourceType,
  ): Promise<boolean> {
    if (!(await this.#isAbsent(signal, CUSTOM_RESOURCES, `${resource}.${group}`))) {
      return false;
    }
    const isServed = discovery.resources.some((other) => other.group === group && other.version === version);
    return isServed || (await this.#isAbsent(signal, API_SERVICES, `${version}.${group}`));
  }

  async #isAbsent(signal: AbortSignal, definition: ResourceType, name: string): Promise<boolean> {
    try {
      return (await getObject(signal, this.#kube, definition, { namespace: "", name })) === undefined;
    } catch {
      // An answer that is not a statement about the object is no proof.
      signal.throwIfAborted();
      return false;
    }
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

function toRemoved(resourceType: ResourceType, reason: RemovalReason): RemovedResource {
  return create(RemovedResourceSchema, { resourceType, reason });
}

function resourceTypeOf(group: string, resource: string): ResourceType {
  return create(ResourceTypeSchema, { group, version: "v1", resource });
}
