import { create, equals } from "@bufbuild/protobuf";
import { type ResourceKind, ResourceKindSchema } from "../../../gen/proto/evenkeel/v1/resource_pb.ts";
import { KindScopeSchema } from "../../../gen/proto/evenkeel/v1/scope_pb.ts";
import { kindKey } from "../../domain/resource-type.ts";
import type { Discovery } from "../../kube/discovery.ts";
import { getObject } from "../../kube/get.ts";
import type { KubeTransport } from "../../kube/kube.ts";
import type { SelectedKind } from "./select-resources.ts";

const CUSTOM_RESOURCES = kindOf("apiextensions.k8s.io", "customresourcedefinitions");
const API_SERVICES = kindOf("apiregistration.k8s.io", "apiservices");

/**
 * Follows what is read from one discovery to the next. A kind that is read and is not served any more stays,
 * until two complete discoveries in a row lack it and what defined it is not there either (404): leaving the
 * scope drops all that is held of a kind.
 */
export class ScopeFollower {
  readonly #kube: KubeTransport;
  #kinds: readonly SelectedKind[] = [];
  #lacking: ReadonlySet<string> = new Set();

  constructor(kube: KubeTransport) {
    this.#kube = kube;
  }

  /** What is read. */
  get kinds(): readonly SelectedKind[] {
    return this.#kinds;
  }

  /** Takes the selection of the latest discovery; returns whether it changes what is read. */
  async follow(
    signal: AbortSignal,
    discovery: Discovery,
    selected: readonly SelectedKind[],
  ): Promise<boolean> {
    const found = new Map(selected.map((kind) => [keyOf(kind), kind]));
    const lacking = new Set(this.#kinds.map(keyOf).filter((key) => !found.has(key)));
    const kept = new Map(found);
    for (const kind of this.#kinds) {
      const key = keyOf(kind);
      const isGone =
        lacking.has(key) && this.#lacking.has(key) && (await this.#isGone(signal, discovery, kind));
      if (lacking.has(key) && !isGone) {
        kept.set(key, kind);
      }
    }
    // An incomplete discovery lacks what it could not ask for.
    this.#lacking = discovery.unanswered.length === 0 ? lacking : new Set();
    const kinds = [...kept].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, kind]) => kind);
    const isSame =
      kinds.length === this.#kinds.length && kinds.every((kind, i) => sameKind(kind, this.#kinds[i]));
    this.#kinds = kinds;
    return !isSame;
  }

  async #isGone(signal: AbortSignal, discovery: Discovery, { scope }: SelectedKind): Promise<boolean> {
    const { kind } = scope;
    if (kind === undefined || discovery.unanswered.length > 0) {
      return false;
    }
    const definition = { namespace: "", name: `${kind.resource}.${kind.group}` };
    if ((await getObject(signal, this.#kube, CUSTOM_RESOURCES, definition)) !== undefined) {
      return false;
    }
    const service = { namespace: "", name: `${kind.version}.${kind.group}` };
    const groupAnswers = discovery.resources.some(
      ({ group, version }) => group === kind.group && version === kind.version,
    );
    return groupAnswers || (await getObject(signal, this.#kube, API_SERVICES, service)) === undefined;
  }
}

/** Identity of a kind that is read. */
export function keyOf({ scope }: SelectedKind): string {
  return scope.kind === undefined ? "" : kindKey(scope.kind);
}

/** Whether two kinds are read in the same way. */
export function sameKind(a: SelectedKind, b: SelectedKind | undefined): boolean {
  return b !== undefined && a.watchable === b.watchable && equals(KindScopeSchema, a.scope, b.scope);
}

function kindOf(group: string, resource: string): ResourceKind {
  return create(ResourceKindSchema, { group, version: "v1", resource });
}
