import { create } from "@bufbuild/protobuf";
import { type ResourceType, ResourceTypeSchema } from "../../gen/proto/evenkeel/v1/resource_pb.ts";
import { type UndecidedGroup, UndecidedGroupSchema } from "../../gen/proto/evenkeel/v1/scope_pb.ts";
import { MAX_SCOPE_RESOURCES } from "../domain/limits.ts";
import { resourceTypeKey } from "../domain/resource-type.ts";
import { isReady } from "../kube/api-server.ts";
import { discover, type UnansweredGroup } from "../kube/discovery.ts";
import { getObject } from "../kube/get.ts";
import type { KubeTransport } from "../kube/kube.ts";
import { withinDeadline } from "../lib/abort.ts";
import type { Clock } from "../lib/clock.ts";
import { Condition } from "../lib/condition.ts";
import type { Log } from "../lib/log.ts";
import type { Random } from "../lib/random.ts";
import { createBackoff, retry } from "../lib/retry.ts";
import type { AgentTuning } from "./config.ts";
import { classifyError } from "./retry-budget.ts";
import { watchDefinitions } from "./scope/definition-watch.ts";
import { type DiscoveredScope, ScopeTracker } from "./scope/scope-tracker.ts";
import {
  assertReadable,
  createResourceFilter,
  findMissing,
  limitScope,
  type SelectedResource,
  type SelectionOptions,
  selectResources,
} from "./scope/select-resources.ts";
import type { Outbox } from "./uplink/outbox.ts";
import type { DeclaredScope } from "./uplink/uplink-state.ts";
import type { Reflectors } from "./watch/reflectors.ts";

export interface FollowScopeOptions {
  readonly kube: KubeTransport;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly tuning: AgentTuning;
  readonly selection: SelectionOptions;
  readonly outbox: Outbox;
  readonly reflectors: Reflectors;
  /** Returns the scope that Postgres had at the latest Welcome. */
  readonly storedScope: () => readonly ResourceType[];
}

/** Shortest time between two discoveries, in milliseconds: definitions often change together. */
const DEBOUNCE_MS = 250;
/** Most namespaces of the configuration whose existence is checked. */
const MAX_CHECKED_NAMESPACES = 100;

/** Warnings of one declaration. */
const MAX_WARNINGS = 100;
/** Groups that did not answer, of one declaration. Resource types of the others are undecided without a reason. */
const MAX_UNDECIDED = 1_000;
const MAX_FAILURE_LENGTH = 500;
const NAMESPACES = create(ResourceTypeSchema, { version: "v1", resource: "namespaces" });

/**
 * Discovers the resource types to read, declares them, and starts their reflectors, until `signal` aborts. Discovers
 * again at an interval, when a CustomResourceDefinition or an APIService changes, and, with a backoff, as long as the
 * API server is not ready or lacks a resource type without proof that it is gone.
 */
export async function followScope(signal: AbortSignal, options: FollowScopeOptions): Promise<void> {
  const { clock, random, log, tuning } = options;
  const changed = new Condition();
  let extra = 0;
  const stopped = new AbortController();
  const backoff = createBackoff(random, { initialMs: 1_000, maxMs: tuning.discoveryMs });
  const watching = watchDefinitions(AbortSignal.any([signal, stopped.signal]), options, (discoveries) => {
    extra = Math.max(extra, discoveries);
    // The new definition is served soon, however long the earlier discoveries had to wait.
    backoff.reset();
    changed.notifyAll();
  });
  const retrying = {
    clock,
    random,
    log,
    name: "discovery",
    backoff: tuning.backoff,
    classify: classifyError,
  };
  const follower = new ScopeFollower(options);
  const waitForChange = (ms: number): Promise<void> =>
    withinDeadline(
      signal,
      clock,
      ms,
      (until) => changed.wait(until),
      () => {},
    );
  try {
    for (;;) {
      const isOpen = await retry(signal, retrying, () => follower.discover(signal));
      if (extra > 0 || isOpen) {
        extra -= extra > 0 ? 1 : 0;
        await waitForChange(DEBOUNCE_MS + backoff.nextMs());
      } else {
        backoff.reset();
        await waitForChange(tuning.discoveryMs);
      }
      await clock.sleep(signal, DEBOUNCE_MS);
    }
  } finally {
    stopped.abort(new Error("the scope is no longer followed"));
    await watching;
  }
}

/** Applies one discovery after the other. */
class ScopeFollower {
  readonly #options: FollowScopeOptions;
  readonly #tracker: ScopeTracker;
  #undecided: readonly UnansweredGroup[] = [];
  #warnings: readonly string[] = [];
  /** Warnings of the last complete discovery. */
  #found: readonly string[] = [];
  #isFirst = true;
  /** Stored scope of the session whose Welcome was used last. */
  #learned: readonly ResourceType[] | undefined;

  constructor(options: FollowScopeOptions) {
    this.#options = options;
    this.#tracker = new ScopeTracker(options.kube, createResourceFilter(options.selection));
  }

  /** Discovers, and declares the scope if it changed. Returns true if another discovery should follow soon. */
  async discover(signal: AbortSignal): Promise<boolean> {
    const { kube, selection, outbox, reflectors, storedScope, log } = this.#options;
    const stored = storedScope();
    if (stored !== this.#learned) {
      this.#learned = stored;
      this.#tracker.learn(stored);
    }
    const isServerReady = await isReady(signal, kube);
    const discovery = await discover(signal, kube);
    const { resources: selected, undecided } = selectResources(discovery, selection);
    const isComplete = isServerReady && discovery.unanswered.length === 0;
    const discovered: DiscoveredScope = { discovery, selected, isComplete };
    const change = await this.#tracker.update(signal, discovered);
    if (this.#isFirst) {
      // Later, a new definition must not end an agent that reads the others: limitScope leaves it out.
      assertReadable(this.#tracker.resources);
    }
    const resources = limitScope(this.#tracker.resources);
    const found = isComplete ? await findWarnings(signal, kube, discovered, selection) : this.#found;
    const leftOut = this.#tracker.resources.slice(resources.length);
    const warnings = [...describeLeftOut(leftOut, resources.length), ...found].slice(0, MAX_WARNINGS);
    this.#found = found;
    const isNews =
      !isSameText(undecided.map(nameOf), this.#undecided.map(nameOf)) ||
      !isSameText(warnings, this.#warnings);
    if (change.isChanged || isNews) {
      this.#log(undecided, warnings);
      this.#undecided = undecided;
      this.#warnings = warnings;
      const scope: DeclaredScope = {
        resources: resources.map((resource) => resource.scope),
        namespaces: [...new Set(selection.namespaces)].toSorted(),
        removed: change.removed.slice(0, MAX_SCOPE_RESOURCES),
        undecided: undecided.slice(0, MAX_UNDECIDED).map(toUndecidedGroup),
        warnings,
      };
      for (const { resourceType, reason } of change.removed) {
        log.info("resource type left the scope", { ...resourceType, reason });
      }
      outbox.declareScope(scope);
      await reflectors.follow(signal, resources, { sendAll: !this.#isFirst });
      this.#isFirst = false;
    }
    return !isComplete || change.undecided > 0;
  }

  #log(undecided: readonly UnansweredGroup[], warnings: readonly string[]): void {
    const { log } = this.#options;
    for (const group of undecided) {
      if (!this.#undecided.some((known) => nameOf(known) === nameOf(group))) {
        log.warn("group did not answer discovery; its resource types keep their rows", {
          group: nameOf(group),
          error: group.message,
        });
      }
    }
    for (const warning of warnings) {
      if (!this.#warnings.includes(warning)) {
        log.warn("the scope is not as configured", { warning });
      }
    }
  }
}

function describeLeftOut(leftOut: readonly SelectedResource[], read: number): string[] {
  const [first] = leftOut;
  return first === undefined
    ? []
    : [
        `${leftOut.length} resource types are not read, because a scope holds at most ${read} of them; the first is ` +
          `"${resourceTypeKey(first.scope.resourceType)}"; select fewer with --resources or --exclude-resources`,
      ];
}

async function findWarnings(
  signal: AbortSignal,
  kube: KubeTransport,
  { discovery }: DiscoveredScope,
  selection: SelectionOptions,
): Promise<string[]> {
  const warnings = findMissing(discovery, selection).map(
    (text) => `resource type "${text}": not served by the API server; check its spelling and version`,
  );
  for (const name of selection.namespaces.slice(0, MAX_CHECKED_NAMESPACES)) {
    try {
      if ((await getObject(signal, kube, NAMESPACES, { namespace: "", name })) === undefined) {
        warnings.push(`namespace "${name}": does not exist; check its spelling`);
      }
    } catch {
      // An agent may read the objects of a namespace without the right to read the namespace itself.
      signal.throwIfAborted();
    }
  }
  return warnings;
}

function toUndecidedGroup({ group, version, reason, message }: UnansweredGroup): UndecidedGroup {
  return create(UndecidedGroupSchema, {
    group,
    version,
    failure: { reason, message: message.slice(0, MAX_FAILURE_LENGTH) },
  });
}

function nameOf({ group, version }: UnansweredGroup): string {
  return `${group}/${version}`;
}

function isSameText(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((text, index) => text === b[index]);
}
