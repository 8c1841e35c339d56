import type { ResourceType } from "../../../gen/proto/evenkeel/v1/resource_pb.ts";
import { resourceTypeKey } from "../../domain/resource-type.ts";
import type { Clock } from "../../lib/clock.ts";

/** Time for which a resource type whose versions went back is evidence for others, in milliseconds. */
const EVIDENCE_MS = 60_000;

interface Below {
  readonly group: string;
  /** Time of the first response below the high watermark; undefined after the proof. */
  readonly since: number | undefined;
  /** Time of the last one, or of the proof. */
  readonly at: number;
}

/**
 * Resource types of one agent whose versions are below their high watermarks. The API server's own resource types share
 * an etcd, so a restore shows in several of them. An extension API server has its own storage: if only the resource
 * types of one group went back, one of its replicas may lag behind another.
 */
export class RestoreEvidence {
  readonly #clock: Clock;
  readonly #below = new Map<string, Below>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Records a response below the high watermark. */
  add(resourceType: ResourceType): void {
    const key = resourceTypeKey(resourceType);
    const at = this.#clock.monotonic();
    const since = this.#below.get(key)?.since ?? at;
    this.#below.set(key, { group: resourceType.group, since, at });
  }

  /** Records a response at or above the high watermark. */
  remove(resourceType: ResourceType): void {
    this.#below.delete(resourceTypeKey(resourceType));
  }

  /** Records the proof that the versions went back. It is evidence for others, and a later proof begins again. */
  conclude(resourceType: ResourceType): void {
    const { group } = resourceType;
    this.#below.set(resourceTypeKey(resourceType), { group, since: undefined, at: this.#clock.monotonic() });
  }

  /** Returns for how long all responses about a resource type have been below its high watermark, in milliseconds. */
  belowMs(resourceType: ResourceType): number {
    const { since } = this.#below.get(resourceTypeKey(resourceType)) ?? {};
    return since === undefined ? 0 : this.#clock.monotonic() - since;
  }

  /** True if the versions of a resource type of the core group or of another group went back too. */
  isShared(resourceType: ResourceType): boolean {
    const own = resourceTypeKey(resourceType);
    const since = this.#clock.monotonic() - EVIDENCE_MS;
    return this.#below
      .entries()
      .some(
        ([key, { group, at }]) =>
          key !== own && at >= since && (group === "" || group !== resourceType.group),
      );
  }
}
