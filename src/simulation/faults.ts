import type { ResourceKey } from "./served-resources.ts";

/** An answer given instead of the real one. */
export interface ForcedResponse {
  readonly status: number;
  /** `reason` of the Status body; "InternalError" unless set. */
  readonly reason?: string;
  /** Sent as `Retry-After` and in the Status body. */
  readonly retryAfterSeconds?: number;
  /** Requests that it is for, by path with query; any unless set. */
  readonly matches?: (url: string) => boolean;
  /** How many requests are answered so; 1 unless set. */
  readonly times?: number;
}

/** Lists answered from the past, as by a server that lags behind its etcd. */
export interface StaleLists {
  readonly revision: number;
  /** `any`: only lists that allow any version (`resourceVersion=0`); `all`: also those that ask for the newest. */
  readonly affects: "any" | "all";
}

/** What goes wrong in the simulated cluster. Nothing does unless asked for. */
export class Faults {
  /** No watch is sent a bookmark while this is set. */
  holdBookmarks = false;
  /** Set to answer lists and reads from the past. */
  staleLists: StaleLists | undefined;
  readonly #forcedResponses: { readonly response: ForcedResponse; left: number }[] = [];
  readonly #losses = new Map<ResourceKey, number>();

  /** Answers a coming request so, the earliest asked for first. */
  forceResponse(response: ForcedResponse): void {
    this.#forcedResponses.push({ response, left: response.times ?? 1 });
  }

  /**
   * The next write to a kind is stored, and no watch is ever sent it, not even one that asks again from before it.
   * Calls add up.
   */
  loseNextWatchEvent(resourceKey: ResourceKey): void {
    this.#losses.set(resourceKey, (this.#losses.get(resourceKey) ?? 0) + 1);
  }

  /** Takes the answer to a request, if one is forced. */
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

  /** Whether the write that has just happened is to be kept from the watches. */
  takeLoss(resourceKey: ResourceKey): boolean {
    const left = this.#losses.get(resourceKey) ?? 0;
    if (left > 0) {
      this.#losses.set(resourceKey, left - 1);
    }
    return left > 0;
  }
}
