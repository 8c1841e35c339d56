import { create } from "@bufbuild/protobuf";
import { type Failure, FailureSchema } from "../../../gen/proto/evenkeel/v1/failure_pb.ts";
import { parseResourceVersion } from "../../domain/resource-version.ts";
import { MalformedResponseError, reasonOf } from "../../kube/kube-error.ts";
import { TerminalError, toMessage } from "../../lib/errors.ts";
import type { ObservedState } from "../observed-put.ts";
import { carriedIdentity, escapeKey } from "../representation.ts";
import type { RetryBudget } from "../retry-budget.ts";
import type { DeletionLog } from "../watch/deletion-log.ts";
import { type ReadResult, readContents } from "../watch/read-contents.ts";
import type { Reflector } from "../watch/reflector.ts";
import type { Snapshot } from "../watch/snapshot.ts";

/** Failure of the comparison of a resource type. */
export class ComparisonError extends TerminalError {
  override readonly name = "ComparisonError";
  /** Reason in CamelCase, for programs. */
  readonly reason: string;

  constructor(reason: string, message: string) {
    super(message);
    this.reason = reason;
  }
}

/** Converts an error to the failure that the agent sends to the backend. */
export function toComparisonFailure(error: unknown): Failure {
  return create(FailureSchema, { reason: reasonOf(error), message: toMessage(error).slice(0, 1_000) });
}

/** Receiver of what became of the objects of a list; `at` is the index in the list. */
export interface DifferenceTarget {
  /** Called with the state of an object. */
  put(signal: AbortSignal, at: number, state: ObservedState, observedVersion: string): Promise<void>;
  /**
   * Called for an object that is proved to be gone. `listVersion` is the version of a complete later list that
   * lacks it, at which its row must be deleted; undefined if the watch has already sent the Delete.
   */
  gone(signal: AbortSignal, at: number, listVersion: string | undefined): Promise<void>;
}

/** Later lists that may prove that objects are gone. An object that such a list contains is read again. */
const MAX_LATER_LISTS = 2;

/** Failed reads after which the others are not tried. */
const MAX_FAILED_READS = 20;

/**
 * Reads the objects of a list that differ from their rows. Each object ends in one of three ways: it was read;
 * it is gone, which the watch or a complete later list proves; or it counts as unread, and the comparison
 * fails. An answer that an object does not exist is no proof: a gateway may send it.
 */
export class DifferenceReader {
  readonly #reflector: Reflector;
  readonly #snapshot: Snapshot;
  readonly #deletions: DeletionLog;
  readonly #retries: RetryBudget;
  readonly #target: DifferenceTarget;
  readonly #unread: { readonly at: number; readonly error: unknown }[] = [];

  constructor(
    reflector: Reflector,
    snapshot: Snapshot,
    deletions: DeletionLog,
    retries: RetryBudget,
    target: DifferenceTarget,
  ) {
    this.#reflector = reflector;
    this.#snapshot = snapshot;
    this.#deletions = deletions;
    this.#retries = retries;
    this.#target = target;
  }

  /**
   * Reads the objects whose mark is 1.
   *
   * @throws the error of a request that is not about a single object.
   */
  async read(signal: AbortSignal, marks: Uint8Array): Promise<void> {
    const notFound = await this.#readOnce(signal, this.#snapshot, marks, (at) => at);
    await this.#proveGone(signal, notFound);
  }

  /**
   * Asserts that each object was read or is gone.
   *
   * @throws ComparisonError with the number of the others and the name of the first.
   */
  assertComplete(): void {
    const [first] = this.#unread;
    if (first === undefined) {
      return;
    }
    const { error } = first;
    const isOfServer = error !== undefined && !(error instanceof MalformedResponseError);
    const key = escapeKey(this.#snapshot.objectKeyAt(first.at));
    throw new ComparisonError(
      isOfServer ? reasonOf(error) : "Unread",
      `${this.#unread.length} listed objects could not be read, the first is "${key}": ` +
        (error === undefined
          ? "a read answers that it does not exist, but lists contain it"
          : toMessage(error)),
    );
  }

  /** Reads objects of a list, and returns the indexes in the first list of those that a read did not find. */
  async #readOnce(
    signal: AbortSignal,
    snapshot: Snapshot,
    wanted: Uint8Array,
    indexOf: (at: number) => number,
  ): Promise<number[]> {
    const { context, mode } = this.#reflector;
    const notFound: number[] = [];
    const options = { mode, retries: this.#retries };
    for await (const result of readContents(signal, context, { snapshot, wanted }, options)) {
      const at = indexOf(result.at);
      if (result.type === "notFound") {
        notFound.push(at);
      } else {
        await this.#accept(signal, at, result);
      }
      if (this.#unread.length >= MAX_FAILED_READS) {
        break;
      }
    }
    return notFound;
  }

  async #accept(
    signal: AbortSignal,
    at: number,
    result: Exclude<ReadResult, { type: "notFound" }>,
  ): Promise<void> {
    switch (result.type) {
      case "object":
        await this.#target.put(signal, at, result.state, result.observedVersion);
        break;
      case "notListed":
        await this.#target.gone(signal, at, result.listVersion);
        break;
      case "failed":
        this.#unread.push({ at, error: result.error });
        break;
      default:
        result satisfies never;
    }
  }

  /** Proves that objects are gone: by the watch, or by later lists, whose objects are read again. */
  async #proveGone(signal: AbortSignal, notFound: readonly number[]): Promise<void> {
    const { context } = this.#reflector;
    const isReported = (at: number): boolean => this.#isReported(at);
    const areAllReported = (): boolean => notFound.every(isReported);
    await this.#reflector.waitForProgress(signal, areAllReported, context.tuning.watchCatchUpMs);
    const reported = new Set(notFound.filter(isReported));
    for (const at of reported) {
      await this.#target.gone(signal, at, undefined);
    }
    let left = notFound.filter((at) => !reported.has(at));
    for (let list = 0; list < MAX_LATER_LISTS && left.length > 0; list++) {
      left = await this.#readLater(signal, left);
    }
    this.#unread.push(...left.map((at) => ({ at, error: undefined })));
  }

  /** True if the watch has sent a Delete of the object after the list. */
  #isReported(at: number): boolean {
    const { namespace } = this.#snapshot.objectKeyAt(at);
    const listed = parseResourceVersion(this.#snapshot.versionFor(namespace));
    const { uid } = carriedIdentity(this.#snapshot.at(at));
    const key = this.#snapshot.keyAt(at);
    return listed !== undefined && this.#deletions.endOf(key, uid, listed) !== undefined;
  }

  /** Lists again. Returns the objects that the list contains, although a read answers that they do not exist. */
  async #readLater(signal: AbortSignal, notFound: readonly number[]): Promise<number[]> {
    const { snapshot: later } = await this.#retries.run(signal, () =>
      this.#reflector.snapshot(signal, { reuseInitial: false }),
    );
    signal.throwIfAborted();
    if (later.isVersioned !== this.#snapshot.isVersioned) {
      throw new ComparisonError("Unread", "the versions of the resource type changed during the comparison");
    }
    const wanted = new Uint8Array(later.size);
    const first = new Map<number, number>();
    for (const at of notFound) {
      const index = later.find(this.#snapshot.keyAt(at));
      if (index === undefined) {
        const { namespace } = this.#snapshot.objectKeyAt(at);
        await this.#target.gone(signal, at, later.versionFor(namespace));
      } else {
        wanted[index] = 1;
        first.set(index, at);
      }
    }
    return await this.#readOnce(signal, later, wanted, (index) => first.get(index) ?? index);
  }
}
