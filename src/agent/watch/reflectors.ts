import type { ResourceKind } from "../../../gen/proto/evenkeel/v1/resource_pb.ts";
import { formatKind } from "../../domain/resource-type.ts";
import { WakeUp } from "../../lib/condition.ts";
import { toMessage } from "../../lib/errors.ts";
import { contentFormOf } from "../object-content.ts";
import type { KindContext } from "../resource-context.ts";
import { keyOf, sameKind } from "../scope/scope-tracker.ts";
import type { SelectedKind } from "../scope/select-resources.ts";
import type { ChangeSink } from "../uplink/change.ts";
import { Reflector } from "./reflector.ts";
import { KindTimeline } from "./version-tracker.ts";

interface Running {
  readonly kind: SelectedKind;
  readonly reflector: Reflector;
  readonly stop: AbortController;
  readonly ended: Promise<void>;
}

/** What all reflectors share. */
export type SharedContext = Omit<KindContext, "kind" | "form" | "timeline">;

/** The reflectors of the kinds that are read. */
export class Reflectors {
  readonly #context: SharedContext;
  readonly #sink: ChangeSink;
  readonly #running = new Map<string, Running>();
  /** Outlive their reflectors: a kind read in another version has the same versions. */
  readonly #timelines = new Map<string, KindTimeline>();
  readonly #failed = new WakeUp();
  #failure: { readonly error: unknown } | undefined;

  constructor(context: SharedContext, sink: ChangeSink) {
    this.#context = context;
    this.#sink = sink;
  }

  /** The reflector of a kind that is read, by "group/resource". */
  get(kind: string): Reflector | undefined {
    return this.#running.get(kind)?.reflector;
  }

  /** Rejects when a reflector fails for good, or `signal` aborts. */
  async watch(signal: AbortSignal): Promise<never> {
    while (this.#failure === undefined) {
      await this.#failed.wait(signal);
    }
    throw this.#failure.error;
  }

  /**
   * Starts and stops reflectors, so that these kinds are read. With `sendAll` a kind that joins is sent
   * whole: nobody has asked for it.
   */
  async follow(
    signal: AbortSignal,
    kinds: readonly SelectedKind[],
    { sendAll }: { readonly sendAll: boolean },
  ): Promise<void> {
    const wanted = new Map(kinds.map((kind) => [keyOf(kind), kind]));
    for (const [key, running] of this.#running) {
      if (!sameKind(running.kind, wanted.get(key))) {
        this.#running.delete(key);
        running.stop.abort(new Error("the kind is read no more, or otherwise"));
        await running.ended;
      }
    }
    for (const [key, kind] of wanted) {
      if (!this.#running.has(key) && kind.scope.kind !== undefined) {
        this.#running.set(key, this.#start(signal, key, kind, kind.scope.kind, sendAll));
      }
    }
  }

  /** Stops all of them. */
  async stop(): Promise<void> {
    const running = [...this.#running.values()];
    this.#running.clear();
    for (const { stop } of running) {
      stop.abort(new Error("the agent stops"));
    }
    await Promise.all(running.map(({ ended }) => ended));
  }

  #start(
    signal: AbortSignal,
    key: string,
    selected: SelectedKind,
    kind: ResourceKind,
    sendAll: boolean,
  ): Running {
    const timeline = this.#timelines.get(key) ?? new KindTimeline();
    this.#timelines.set(key, timeline);
    const { scope, watchable } = selected;
    const reflector = new Reflector(
      { ...this.#context, kind, form: contentFormOf(kind), timeline },
      this.#sink,
      {
        scope,
        watchable,
        sendAll,
      },
    );
    const stop = new AbortController();
    const ended = this.#run(AbortSignal.any([signal, stop.signal]), reflector);
    return { kind: selected, reflector, stop, ended };
  }

  async #run(signal: AbortSignal, reflector: Reflector): Promise<void> {
    try {
      await reflector.run(signal);
    } catch (error) {
      if (!signal.aborted) {
        const kind = formatKind(reflector.context.kind);
        this.#context.log.error("reflector failed", { kind, reason: toMessage(error) });
        this.#failure ??= { error };
        this.#failed.wake();
      }
    }
  }
}
