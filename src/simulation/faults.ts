import type { ResourceKey } from "./served-resources.ts";

/** Response that replaces the real one. */
export interface ForcedResponse {
  readonly status: number;
  /** `reason` of the Status body; default "InternalError". */
  readonly reason?: string;
  /** Sent as `Retry-After` and in the Status body. */
  readonly retryAfterSeconds?: number;
  /** Selects requests by path with query; unset: any request. */
  readonly matches?: (url: string) => boolean;
  /** Number of requests that get it; default 1. */
  readonly times?: number;
}

/** Lists of an older revision, as on a server that lags behind its etcd. */
export interface StaleLists {
  readonly revision: number;
  /** `any`: only lists that allow any version (`resourceVersion=0`); `all`: also lists of the newest version. */
  readonly affects: "any" | "all";
  /** The only resource type that lags; unset: all. */
  readonly resourceKey?: ResourceKey;
}

/** Faults of the simulated cluster. By default there are none. */
export class Faults {
  /** True to send no bookmarks. */
  holdBookmarks = false;
  /** Older state for the answers to lists and reads; undefined: the current state. */
  staleLists: StaleLists | undefined;
  readonly #forcedResponses: { readonly response: ForcedResponse; left: number }[] = [];
  readonly #losses = new Map<ResourceKey, number>();

  /** Adds a response for a later request. Earlier added responses are used first. */
  forceResponse(response: ForcedResponse): void {
    this.#forcedResponses.push({ response, left: response.times ?? 1 });
  }

  /**
   * Loses the event of the next write to a resource type: the write is stored, but no watch ever gets its event, not
   * even one that begins before it. Each call loses one more event.
   */
  loseNextWatchEvent(resourceKey: ResourceKey): void {
    this.#losses.set(resourceKey, (this.#losses.get(resourceKey) ?? 0) + 1);
  }

  /** Removes and returns the forced response to a request, if there is one. */
  takeAnswer(url: string): ForcedResponse | undefined {
    const index = this.#forcedResponses.findIndex(({ response }) => response.matches?.(url) ?? true);
    const forced = this.#forcedResponses[index];
    if (forced === undefined) {
      return undefined;
    }
    forced.left -= 1;
    if (forced.left <= 0) {
      this.#forcedResponses.splice(index, 1);
    }
    return forced.response;
  }

  /** True if watches must not get the event of the current write. */
  takeLoss(resourceKey: ResourceKey): boolean {
    const left = this.#losses.get(resourceKey) ?? 0;
    if (left > 0) {
      this.#losses.set(resourceKey, left - 1);
    }
    return left > 0;
  }
}
