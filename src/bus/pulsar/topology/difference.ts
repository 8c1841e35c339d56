import type { PulsarAdmin } from "../admin/pulsar-admin.ts";

/** Something that is not as it is wanted. */
export interface Difference {
  /** For people: "topic main/events: partitions". */
  readonly what: string;
  readonly wanted: string;
  /** Undefined when it is not there, or nobody has set it; otherwise somebody has, and may have had reasons. */
  readonly found: string | undefined;
  /** What makes it as it is wanted; an advice where nothing can from here. */
  readonly remedy: ApplyChange | Advice;
}

/** Throws `ConflictError` when somebody came between. */
export type ApplyChange = (signal: AbortSignal, admin: PulsarAdmin) => Promise<void>;

/** What a person can do. */
export interface Advice {
  readonly advice: string;
}
