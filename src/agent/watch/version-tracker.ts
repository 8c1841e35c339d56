import { maxVersion } from "../../domain/resource-version.ts";

/**
 * Where a kind's versions stand: the highest one observed, and the incarnation that they belong to.
 *
 * Versions only grow, until an etcd is restored from a backup. Then they begin again below the mark, and a
 * watch from the old version is accepted and stays silent. A new incarnation ends what was begun in the old
 * one.
 */
export class VersionTracker {
  #incarnation: bigint | undefined;
  #highWatermark = 0n;
  #incarnationEnd = new AbortController();

  /**
   * Epoch of the session that found the versions to have gone back, 0 if none did; undefined until the
   * ingester has told.
   */
  get incarnation(): bigint | undefined {
    return this.#incarnation;
  }

  /** Highest version that was ever observed in this incarnation, by this agent or by one before it. */
  get highWatermark(): bigint {
    return this.#highWatermark;
  }

  /** Aborts when the incarnation ends. */
  get incarnationSignal(): AbortSignal {
    return this.#incarnationEnd.signal;
  }

  /** Takes note of a version that the API server gave. */
  observe(version: bigint): void {
    this.#highWatermark = maxVersion(this.#highWatermark, version);
  }

  /** Takes note of what the ingester knows. An older incarnation than the present one says nothing. */
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
    ended.abort(new Error("the kind's versions went back: its watch means nothing any more"));
  }
}
