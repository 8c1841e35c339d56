import { UncanonicalError } from "../../domain/canonical-json.ts";
import { formatKey } from "../../domain/object-key.ts";
import { maxVersion, parseResourceVersion } from "../../domain/resource-version.ts";
import { MalformedResponseError, UnprovenAbsenceError } from "../../kube/kube-error.ts";
import { type KubeObject, objectKeyOf } from "../../kube/kube-object.ts";
import { currentVersion, listPages } from "../../kube/list.ts";
import type { ObservedState } from "../observed-put.ts";
import type { ResourceContext } from "../resource-context.ts";
import type { RetryBudget } from "../retry-budget.ts";
import { readCurrent } from "./read-current.ts";
import { isAboutObject, type ReadingMode } from "./reading-mode.ts";
import type { Snapshot } from "./snapshot.ts";

/**
 * Result of the read of one selected object; `at` is its index in the snapshot. Versions are empty for a
 * resource type whose versions do not compare.
 */
export type ReadResult =
  | {
      readonly type: "object";
      readonly at: number;
      readonly state: ObservedState;
      readonly observedVersion: string;
    }
  /** A single read answered that the object does not exist. */
  | { readonly type: "notFound"; readonly at: number }
  /** A complete later list, at this version, lacks the object. */
  | { readonly type: "notListed"; readonly at: number; readonly listVersion: string }
  | { readonly type: "failed"; readonly at: number; readonly error: unknown };

/** Selection of objects in a snapshot. */
export interface WantedObjects {
  readonly snapshot: Snapshot;
  /** 1 at the index of each selected object. */
  readonly wanted: Uint8Array;
}

/** Ways and retries of the requests. */
export interface ReadOptions {
  readonly mode: ReadingMode;
  readonly retries: RetryBudget;
}

/**
 * Least share of selected objects at which pages cost less than single reads: pages read ten times as many
 * objects.
 */
const MIN_SHARE = 0.1;

/** Most objects of a list that are compared with a read, until one of them decides if the list is abridged. */
const MAX_SAMPLES = 5;

/**
 * Reads the contents of the selected objects of a snapshot: one by one if they are few or lists abridge them,
 * otherwise by a list of the resource type. Yields one result for each selected object.
 *
 * The observed version of a single object is the greater of the list's version and its own; that of a listed
 * object is its list's version.
 *
 * @throws the error of a request that is not about a single object.
 */
export async function* readContents(
  signal: AbortSignal,
  context: ResourceContext,
  { snapshot, wanted }: WantedObjects,
  options: ReadOptions,
): AsyncGenerator<ReadResult, void, undefined> {
  const left = Uint8Array.from(wanted, (one) => (one === 1 ? 1 : 0));
  const count = left.reduce((sum, one) => sum + one, 0);
  const many = count > context.tuning.maxSingleReads && count > snapshot.size * MIN_SHARE;
  if (many && !options.mode.isAbridged) {
    yield* readPages(signal, context, snapshot, left, options);
  }
  yield* readSingly(signal, context, snapshot, left, options);
}

/** Reads one by one what is left. */
async function* readSingly(
  signal: AbortSignal,
  context: ResourceContext,
  snapshot: Snapshot,
  left: Uint8Array,
  { retries }: ReadOptions,
): AsyncGenerator<ReadResult, void, undefined> {
  for (let at = left.indexOf(1); at >= 0; at = left.indexOf(1, at + 1)) {
    const key = snapshot.objectKeyAt(at);
    const listVersion = snapshot.versionFor(key.namespace);
    try {
      const { resourceVersion } = snapshot.at(at);
      const object = await retries.run(signal, () => readCurrent(signal, context, key, resourceVersion));
      yield object === undefined
        ? { type: "notFound", at }
        : { type: "object", at, state: { object }, observedVersion: later(listVersion, object) };
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof UncanonicalError) {
        // Nested too deep: the row states that its content is unknown.
        const { uid, resourceVersion } = snapshot.at(at);
        const state = { object: { metadata: { ...key, uid, resourceVersion } }, problem: error.message };
        yield { type: "object", at, state, observedVersion: listVersion };
      } else if (isAboutObject(error)) {
        if (error instanceof UnprovenAbsenceError) {
          // Its definition may have been removed: then the list answers 404 too.
          const { kube, resourceType } = context;
          await retries.run(signal, () => currentVersion(signal, kube, resourceType, key.namespace));
        }
        yield { type: "failed", at, error };
      } else {
        throw error;
      }
    }
  }
}

/** Reads by pages what is left, and clears it. Leaves it when the pages prove to be abridged or unparsable. */
async function* readPages(
  signal: AbortSignal,
  context: ResourceContext,
  snapshot: Snapshot,
  left: Uint8Array,
  options: ReadOptions,
): AsyncGenerator<ReadResult, void, undefined> {
  const sampler = new Sampler(options.mode);
  for (const namespace of snapshot.namespaces) {
    for (let isRead = false; !isRead; ) {
      try {
        yield* readNamespace(signal, context, snapshot, namespace, left, sampler);
        isRead = true;
      } catch (error) {
        if (error instanceof UncanonicalError) {
          return;
        }
        await options.retries.waitAfter(signal, error);
      }
      if (options.mode.isAbridged) {
        return;
      }
    }
  }
}

async function* readNamespace(
  signal: AbortSignal,
  { kube, resourceType, versions }: ResourceContext,
  snapshot: Snapshot,
  namespace: string,
  left: Uint8Array,
  sampler: Sampler,
): AsyncGenerator<ReadResult, void, undefined> {
  const known = parseResourceVersion(snapshot.versionFor(namespace)) ?? 0n;
  let listVersion = "";
  for await (const page of listPages(signal, kube, { resourceType, namespace, metadataOnly: false })) {
    const version = parseResourceVersion(page.version);
    if (snapshot.isVersioned && (version === undefined || version < known)) {
      throw new MalformedResponseError(`list: expected version ${known} or higher, found ${page.version}`);
    }
    versions.observe(version ?? 0n);
    listVersion = snapshot.isVersioned ? page.version : "";
    for (const object of page.items) {
      const at = snapshot.find(formatKey(objectKeyOf(object)));
      if (at !== undefined && left[at] === 1) {
        if (await sampler.isAbridged(signal, object)) {
          return;
        }
        left[at] = 0;
        yield { type: "object", at, state: { object }, observedVersion: listVersion };
      }
    }
  }
  for (let at = left.indexOf(1); at >= 0; at = left.indexOf(1, at + 1)) {
    if (namespace === "" || snapshot.objectKeyAt(at).namespace === namespace) {
      left[at] = 0;
      yield { type: "notListed", at, listVersion };
    }
  }
}

/** Compares objects of a list with reads of them, until one decides if the list is abridged. */
class Sampler {
  readonly #mode: ReadingMode;
  #samples = 0;
  #isDecided = false;

  constructor(mode: ReadingMode) {
    this.#mode = mode;
  }

  /** True if the list has proved to be abridged. */
  async isAbridged(signal: AbortSignal, object: KubeObject): Promise<boolean> {
    if (!this.#isDecided && this.#samples < MAX_SAMPLES) {
      this.#samples++;
      this.#isDecided = (await this.#mode.check(signal, object)) !== undefined;
    }
    return this.#mode.isAbridged;
  }
}

/** Returns the greater of a list's version and the object's own; empty if the versions do not compare. */
function later(listVersion: string, { metadata }: KubeObject): string {
  const [list, own] = [listVersion, metadata.resourceVersion ?? ""].map(parseResourceVersion);
  return list === undefined ? "" : String(maxVersion(list, own ?? 0n));
}
