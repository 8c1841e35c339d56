import type { PulsarAdmin } from "../admin/pulsar-admin.ts";

/** A difference between the wanted and the current topology. */
export interface Difference {
  /** Name for people, such as "topic main/events: partitions". */
  readonly what: string;
  readonly wanted: string;
  /** The current value; undefined if it does not exist or is not set. A set value may have a reason. */
  readonly found: string | undefined;
  /** The change that removes the difference, or an advice if no change can. */
  readonly remedy: ApplyChange | Advice;
}

/** A change of the topology. Rejects with `ConflictError` if another client changed the same item. */
export type ApplyChange = (signal: AbortSignal, admin: PulsarAdmin) => Promise<void>;

/** The action that a person can take. */
export interface Advice {
  readonly advice: string;
}
