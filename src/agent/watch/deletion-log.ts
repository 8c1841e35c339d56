import { DeleteReason } from "../../../gen/proto/evenkeel/v1/object_pb.ts";

/** A Delete that was sent. */
export interface SentDeletion {
  /** Uid of the deleted object as messages carry it; empty if the API server states none. */
  readonly uid: string;
  readonly observed: bigint;
  readonly reason: DeleteReason;
}

/** The Deletes of a resource type that were sent since the log was opened. */
export class DeletionLog {
  readonly #last = new Map<string, SentDeletion>();

  /** Records that a Delete of the object with the key was sent. */
  record(key: string, deletion: SentDeletion): void {
    this.#last.set(key, deletion);
  }

  /**
   * Returns the Delete that shows that an object which was present at `version` has ended since; undefined if there is
   * none. The Delete is newer, or a watch event reported the end of the uid, which no other object gets: some servers
   * send that event with the last version of the object.
   */
  endOf(key: string, uid: string, version: bigint): SentDeletion | undefined {
    const deletion = this.#last.get(key);
    const isOfUid = uid !== "" && deletion?.uid === uid && deletion.reason === DeleteReason.OBSERVED;
    return isOfUid || (deletion !== undefined && deletion.observed > version) ? deletion : undefined;
  }
}
