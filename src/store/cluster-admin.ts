/** Rows that were removed with a cluster. */
export interface RemovedRows {
  readonly objects: number;
  readonly resourceTypes: number;
  readonly runs: number;
}

/** Changes of clusters by an operator. Methods throw `RetryableError` while the database is unreachable. */
export interface ClusterAdmin {
  /**
   * Removes the rows of a cluster in steps, and ends its session. Its name stays marked: it refuses agents, and late
   * events are dropped. With `forget`, the name is free again. Safe to repeat after an interruption.
   *
   * @throws NotFoundError for an unknown cluster
   */
  remove(signal: AbortSignal, account: string, name: string, forget: boolean): Promise<RemovedRows>;
  /**
   * Gives a cluster another name, in one transaction, and ends its session. Returns the number of its objects.
   *
   * @throws NotFoundError for an unknown or removed cluster
   * @throws ConflictError if the new name is taken
   */
  rename(signal: AbortSignal, account: string, name: string, newName: string): Promise<number>;
  /**
   * Binds a cluster to another uid and ends its session. Its rows stay until the next run has replaced them; its
   * watermarks and verified times start again.
   *
   * @throws NotFoundError for an unknown or removed cluster
   * @throws ConflictError if the name has the uid already, or the account has it under another name
   */
  rebind(signal: AbortSignal, account: string, name: string, uid: string): Promise<void>;
}
