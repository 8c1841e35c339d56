import type { ResourceType } from "../../../gen/proto/evenkeel/v1/resource_pb.ts";
import { resourceTypeKey } from "../../domain/resource-type.ts";
import { Condition } from "../../lib/condition.ts";
import { toMessage } from "../../lib/errors.ts";
import { contentFormatOf } from "../object-content.ts";
import type { ResourceContext } from "../resource-context.ts";
import { isSameResource, selectedResourceKey } from "../scope/scope-tracker.ts";
import type { SelectedResource } from "../scope/select-resources.ts";
import type { ChangeSink } from "../uplink/live-segment.ts";
import { Reflector } from "./reflector.ts";
import { VersionTracker } from "./version-tracker.ts";

interface Running {
  readonly resourceType: SelectedResource;
  readonly reflector: Reflector;
  readonly stop: AbortController;
  readonly ended: Promise<void>;
}

/** Ports and state that all reflectors share. */
export type SharedContext = Omit<ResourceContext, "resourceType" | "contentFormat" | "versions">;

/** The reflectors of the resource types in the scope. */
export class Reflectors {
  readonly #context: SharedContext;
  readonly #sink: ChangeSink;
  readonly #running = new Map<string, Running>();
  /** Outlive their reflectors: another version of a resource type has the same resource versions. */
  readonly #versions = new Map<string, VersionTracker>();
  readonly #failed = new Condition();
  #failure: { readonly error: unknown } | undefined;

  constructor(context: SharedContext, sink: ChangeSink) {
    this.#context = context;
    this.#sink = sink;
  }

  /** Returns the reflector of a resource type in the scope. */
  get(resourceKey: string): Reflector | undefined {
    return this.#running.get(resourceKey)?.reflector;
  }

  /** Returns the resource types in the scope. */
  keys(): readonly string[] {
    return [...this.#running.keys()];
  }

  /**
   * Waits until a reflector fails permanently.
   *
   * @throws the reflector's error, or the reason of `signal`.
   */
  async watch(signal: AbortSignal): Promise<never> {
    while (this.#failure === undefined) {
      await this.#failed.wait(signal);
    }
    throw this.#failure.error;
  }

  /**
   * Starts and stops reflectors to match the scope. With `sendAll`, a resource type that joins is sent
   * completely, because no run compares it.
   */
  async follow(
    signal: AbortSignal,
    resources: readonly SelectedResource[],
    { sendAll }: { readonly sendAll: boolean },
  ): Promise<void> {
    const wanted = new Map(
      resources.map((resourceType) => [selectedResourceKey(resourceType), resourceType]),
    );
    for (const [key, running] of this.#running) {
      if (!isSameResource(running.resourceType, wanted.get(key))) {
        this.#running.delete(key);
        running.stop.abort(
          new Error("the resource type left the scope, or its version or namespaces changed"),
        );
        await running.ended;
        this.#sink.dropPuts(key);
      }
    }
    for (const [key, resourceType] of wanted) {
      if (!this.#running.has(key) && resourceType.scope.resourceType !== undefined) {
        this.#running.set(
          key,
          this.#start(signal, key, resourceType, resourceType.scope.resourceType, sendAll),
        );
      }
    }
  }

  /** Stops all reflectors. */
  async stop(): Promise<void> {
    const running = [...this.#running.values()];
    this.#running.clear();
    for (const { stop } of running) {
      stop.abort(new Error("the agent has stopped"));
    }
    await Promise.all(running.map(({ ended }) => ended));
  }

  #start(
    signal: AbortSignal,
    key: string,
    selected: SelectedResource,
    resourceType: ResourceType,
    sendAll: boolean,
  ): Running {
    const versions = this.#versions.get(key) ?? new VersionTracker();
    this.#versions.set(key, versions);
    const { namespaces, isWatchable } = selected;
    const reflector = new Reflector(
      { ...this.#context, resourceType, contentFormat: contentFormatOf(resourceType), versions },
      this.#sink,
      {
        namespaces,
        isWatchable,
        sendAll,
      },
    );
    const stop = new AbortController();
    const ended = this.#run(AbortSignal.any([signal, stop.signal]), reflector);
    return { resourceType: selected, reflector, stop, ended };
  }

  async #run(signal: AbortSignal, reflector: Reflector): Promise<void> {
    try {
      await reflector.run(signal);
    } catch (error) {
      if (!signal.aborted) {
        const resource = resourceTypeKey(reflector.context.resourceType);
        this.#context.log.error("reflector failed", { resourceType: resource, error: toMessage(error) });
        this.#failure ??= { error };
        this.#failed.notifyAll();
      }
    }
  }
}
