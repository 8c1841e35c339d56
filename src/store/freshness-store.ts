/** Freshness of the copies of all clusters of all accounts, except removed ones. */
export interface FleetFreshness {
  /** Number of clusters that have opened a session. */
  readonly clusters: number;
  /** Number of those whose age is above the limit of the query. */
  readonly staleClusters: number;
  /** Age of the oldest cluster, in milliseconds; 0 without clusters. */
  readonly oldestAgeMs: number;
}

/**
 * Reads the freshness of the whole installation. The result has no data of an account.
 *
 * The age of a cluster is the time since its oldest proof: the oldest verified time of its resource types. One that has
 * none counts from the time at which it joined the scope. A cluster of which nothing was ever verified counts from its
 * first session. Resource types that are out of scope, or that the agent was never able to read, do not count. The
 * clock is the database's; a verified time in the future counts as none.
 */
export interface FreshnessStore {
  /**
   * Reads the freshness. Clusters older than `staleAfterMs` are stale.
   *
   * @throws RetryableError while the database is unreachable
   */
  readFreshness(signal: AbortSignal, staleAfterMs: number): Promise<FleetFreshness>;
}
