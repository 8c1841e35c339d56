import { maxVersion } from "../../domain/resource-version.ts";

/**
 * Tracks the high watermark of a resource type, and its incarnation.
 *
 * Versions only grow, until an etcd is restored from a backup. Then they restart below the high watermark,
 * and the API server accepts a watch from the old version but sends no events. A new incarnation aborts the
 * work of the old one.
 */
export class VersionTracker {
  #incarnation: bigint | undefined;
  #highWatermark = 0n;
  #incarnationEnd = new AbortController();

  /**
   * Epoch of the session that detected that versions went back, 0 if none did; undefined before the first
   * inventory.
   */
  get incarnation(): bigint | undefined {
    return this.#incarnation;
  }

  /** Highest version observed in this incarnation, by this agent or an earlier one. */
  get highWatermark(): bigint {
    return this.#highWatermark;
  }

  /** Aborts when the incarnation ends. */
  get incarnationSignal(): AbortSignal {
    return this.#incarnationEnd.signal;
  }

  /** Records a version from the API server. */
  observe(version: bigint): void {
    this.#highWatermark = maxVersion(this.#highWatermark, version);
  }

  /** Records the state that the ingester stored. An older incarnation than the current one is ignored. */
  learn(incarnation: bigint, highWatermark: bigint): void {
    if (this.#incarnation === undefined || this.#incarnation === incarnation) {
      this.#incarnation = incarnation;
      this.observe(highWatermark);
    } else if (this.#incarnation < incarnation) {
      this.restart(incarnation, highWatermark);
    }
  }

  /** Begins a new incarnation at a version. */
  restart(incarnation: bigint, version: bigint): void {
    this.#incarnation = incarnation;
    this.#highWatermark = version;
    const ended = this.#incarnationEnd;
    this.#incarnationEnd = new AbortController();
    ended.abort(new Error("the versions of the resource type went back; its watch is void"));
  }
}
