import type { ResourceType } from "../../../gen/proto/evenkeel/v1/resource_pb.ts";
import { resourceTypeKey } from "../../domain/resource-type.ts";
import type { KubeTransport } from "../../kube/kube.ts";
import { KubeRefusedError } from "../../kube/kube-error.ts";
import { currentVersion } from "../../kube/list.ts";
import { watchEvents } from "../../kube/watch.ts";
import { sleepUnlessAborted } from "../../lib/abort.ts";
import type { Clock } from "../../lib/clock.ts";
import { RetryableError } from "../../lib/errors.ts";
import { createOutageLog, type Log } from "../../lib/log.ts";
import type { Random } from "../../lib/random.ts";
import { createBackoff } from "../../lib/retry.ts";
import type { AgentTuning } from "../config.ts";
import { API_SERVICES, CUSTOM_RESOURCES } from "./scope-tracker.ts";

/** Resource types whose objects define what the API server serves. */
const DEFINITIONS: readonly ResourceType[] = [CUSTOM_RESOURCES, API_SERVICES];

/** Requests this many discoveries. */
export type OnDefinitionChange = (discoveries: number) => void;

/** A new resource type is served some time after its definition exists. */
const DISCOVERIES_AFTER_EVENT = 5;

export interface DefinitionWatchOptions {
  readonly kube: KubeTransport;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly tuning: Pick<AgentTuning, "backoff" | "watchMs" | "discoveryMs">;
}

/**
 * Watches CustomResourceDefinitions and APIServices until `signal` aborts, and calls `onChange` for each event and at
 * the start of each watch. Never rejects. An agent without the right to watch them still discovers at its interval.
 */
export async function watchDefinitions(
  signal: AbortSignal,
  options: DefinitionWatchOptions,
  onChange: OnDefinitionChange,
): Promise<void> {
  await Promise.all(
    DEFINITIONS.map((resourceType) => watchResource(signal, options, resourceType, onChange)),
  );
}

async function watchResource(
  signal: AbortSignal,
  { kube, clock, random, log, tuning }: DefinitionWatchOptions,
  resourceType: ResourceType,
  onChange: OnDefinitionChange,
): Promise<void> {
  const backoff = createBackoff(random, tuning.backoff);
  const outage = createOutageLog(log.with({ resourceType: resourceTypeKey(resourceType) }), {
    failed: "definitions not watched; new resource types are found at the discovery interval",
    worked: "definitions watched again",
  });
  const timeoutSeconds = Math.ceil((tuning.watchMs * (1 + random.float())) / 1000);
  while (!signal.aborted) {
    let pauseMs = 0;
    const request = new AbortController();
    try {
      const resourceVersion = await currentVersion(signal, kube, resourceType);
      outage.worked();
      onChange(1);
      const watch = { resourceType, resourceVersion, timeoutSeconds, clock };
      for await (const event of watchEvents(AbortSignal.any([signal, request.signal]), kube, watch)) {
        backoff.reset();
        if (event.type !== "bookmark") {
          onChange(DISCOVERIES_AFTER_EVENT);
        }
      }
    } catch (error) {
      pauseMs = error instanceof RetryableError ? (error.retryAfterMs ?? 0) : 0;
      if (error instanceof KubeRefusedError && !signal.aborted) {
        outage.failed(error, "info");
        pauseMs = tuning.discoveryMs;
      }
    } finally {
      request.abort(new Error("the watch has ended"));
    }
    await sleepUnlessAborted(signal, clock, pauseMs + backoff.nextMs());
  }
}
