/** Limits of the deletions that are applied without a second opinion. */
export interface DeletionGuard {
  /** Deletions of a resource type that are never withheld. */
  readonly maxDeletions: number;
  /** Share of the rows that may be deleted, from 0 to 1. */
  readonly maxShare: number;
  /** Time from the first run that claims a deletion to a later run that confirms it, in milliseconds. */
  readonly agreementMs: number;
}

/** The limits unless they are configured. */
export const DEFAULT_DELETION_GUARD: DeletionGuard = {
  maxDeletions: 100,
  maxShare: 0.2,
  agreementMs: 10 * 60_000,
};

/** Deletions that derive from one list, or from one declaration of the scope. */
export interface DeletionCounts {
  readonly deletions: number;
  /** Objects that the same list has for the first time. */
  readonly created: number;
  /** Rows before the deletions and without the new objects. */
  readonly rows: number;
}

/**
 * True if the deletions must be withheld: their number, less that of the new objects, exceeds both limits. The new
 * objects count because an agent that was away for long finds many objects replaced, which is no sign of a fault.
 */
export function mustWithhold(
  { deletions, created, rows }: DeletionCounts,
  { maxDeletions, maxShare }: DeletionGuard,
): boolean {
  const net = deletions - created;
  return net > maxDeletions && net > maxShare * rows;
}
