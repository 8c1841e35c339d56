import { maxVersion, minVersion, parseResourceVersion } from "../../domain/resource-version.ts";
import { RetryableError } from "../../lib/errors.ts";

/**
 * Versions above one that the API server stated although it had stated a higher one before. A lagging server did that,
 * or an etcd that was restored, and then these versions exist in two histories.
 */
export interface VersionDoubt {
  readonly above: bigint;
  /** High watermark at that time. */
  readonly upTo: bigint;
}

/** Reports that work belongs to an incarnation that has ended. */
export class VersionsWentBackError extends RetryableError {
  override readonly name = "VersionsWentBackError";
  readonly reason = "VersionsWentBack";

  constructor() {
    super("the versions of the resource type went back");
  }
}

/**
 * Tracks the high watermark of a resource type, and its incarnation.
 *
 * Versions only grow, until an etcd is restored from a backup. Then they restart below the high watermark,
 * and the API server accepts a watch from the old version but sends no events. A new incarnation aborts the
 * work of the old one.
 */
export class VersionTracker {
  #doubt: VersionDoubt | undefined;
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

  /** Records a version below the high watermark. */
  doubt(version: bigint): void {
    const { above = version, upTo = 0n } = this.#doubt ?? {};
    this.#doubt = { above: minVersion(above, version), upTo: maxVersion(upTo, this.#highWatermark) };
  }

  /** The versions in doubt; undefined if there are none. Each call of {@link doubt} changes its identity. */
  get inDoubt(): VersionDoubt | undefined {
    return this.#doubt;
  }

  /** Ends the doubt, unless it has changed: the contents of all objects with these versions were read. */
  settle(doubt: VersionDoubt | undefined): void {
    if (this.#doubt === doubt) {
      this.#doubt = undefined;
    }
  }

  /** True if an object can have this version with two contents, so that an equal version proves nothing. */
  isInDoubt(resourceVersion: string): boolean {
    const version = parseResourceVersion(resourceVersion);
    return (
      this.#doubt !== undefined &&
      version !== undefined &&
      version > this.#doubt.above &&
      version <= this.#doubt.upTo
    );
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
    // In a new incarnation no version proves anything.
    this.#doubt = undefined;
    const ended = this.#incarnationEnd;
    this.#incarnationEnd = new AbortController();
    ended.abort(new VersionsWentBackError());
  }
}
