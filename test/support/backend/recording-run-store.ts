import type { RequestedRun, RunFailure, RunRequest, RunStore } from "../../../src/store/run-store.ts";
import type { SessionKey } from "../../../src/store/session-store.ts";
import { requestOf } from "./session-for-test.ts";

/** Runs in memory, with the behaviour that callers depend on. A test replaces methods that should fail. */
export class RecordingRunStore implements RunStore {
  readonly created: RunRequest[] = [];
  readonly failed: { readonly runId: string; readonly reason: string }[] = [];
  /** Due clusters of each tick, by name. */
  due: (sessions: readonly SessionKey[]) => readonly SessionKey[] = () => [];
  /** Runs that no ingester has begun to answer. */
  readonly requested: RequestedRun[] = [];
  onCreate: (run: RunRequest) => void = () => {};
  expirations = 0;
  purges: number[] = [];
  intervals: number[] = [];

  async createRun(_signal: AbortSignal, run: RunRequest): Promise<RequestedRun> {
    this.onCreate(run);
    this.created.push(run);
    const { account, cluster } = run;
    return { session: { account, cluster, epoch: 7n }, clusterUid: `uid-${cluster}`, request: requestOf() };
  }

  async listRequested(_signal: AbortSignal, sessions: readonly SessionKey[]): Promise<RequestedRun[]> {
    return this.requested.filter(({ session }) =>
      sessions.some(({ cluster, epoch }) => cluster === session.cluster && epoch === session.epoch),
    );
  }

  async failRun(
    _signal: AbortSignal,
    _session: SessionKey,
    runId: string,
    { reason }: RunFailure,
  ): Promise<void> {
    this.failed.push({ runId, reason });
  }

  async listDue(
    _signal: AbortSignal,
    sessions: readonly SessionKey[],
    intervalMs: number,
  ): Promise<SessionKey[]> {
    this.intervals.push(intervalMs);
    return [...this.due(sessions)];
  }

  async expireRuns(): Promise<number> {
    this.expirations += 1;
    return 0;
  }

  async purge(_signal: AbortSignal, retentionMs: number): Promise<void> {
    this.purges.push(retentionMs);
  }
}
