import { TerminalError } from "../../../src/lib/errors.ts";
import type {
  EndedSession,
  HeldCluster,
  OpenedSession,
  SessionKey,
  SessionRequest,
  SessionStore,
  StandbyAgent,
  StandbyKey,
} from "../../../src/store/session-store.ts";
import { requestOf } from "./session-for-test.ts";

/**
 * Sessions in memory: epochs from 1, a uid that is bound to the name, a run for each new process, and a cluster that
 * stays with the agent of its open session.
 */
export class RecordingSessionStore implements SessionStore {
  readonly opened: SessionRequest[] = [];
  readonly closed: SessionKey[] = [];
  readonly kept: SessionKey[][] = [];
  readonly keptStandbys: StandbyAgent[][] = [];
  readonly removedStandbys: StandbyKey[] = [];
  /** Epochs of the closed sessions that are reserved for their agents. */
  readonly reserved: bigint[] = [];
  /** Clusters whose open session is silent. */
  readonly silent = new Set<string>();
  /** Agent of the open session of each cluster. */
  readonly #active = new Map<string, { readonly epoch: bigint; readonly instanceId: string }>();
  /** Sessions that must end. */
  ended: readonly EndedSession[] = [];
  #lastEpoch = 0n;

  async openSession(_signal: AbortSignal, request: SessionRequest): Promise<OpenedSession | HeldCluster> {
    const last = this.opened.findLast(({ cluster }) => cluster === request.cluster);
    if (last !== undefined && last.clusterUid !== request.clusterUid) {
      throw new TerminalError(`cluster "${request.cluster}" is bound to kube-system uid ${last.clusterUid}`);
    }
    const { account, cluster, instanceId } = request;
    const active = this.#active.get(cluster);
    const isReplaceable = request.mayReplaceSilent && this.silent.has(cluster);
    if (active !== undefined && active.instanceId !== instanceId && !isReplaceable) {
      return { type: "held", activeInstanceId: active.instanceId };
    }
    this.opened.push(request);
    this.#lastEpoch += 1n;
    this.#active.set(cluster, { epoch: this.#lastEpoch, instanceId });
    const connectRun = last?.instanceId === request.instanceId ? undefined : requestOf();
    return { type: "opened", account, cluster, epoch: this.#lastEpoch, connectRun, storedScope: [] };
  }

  async closeSession(
    _signal: AbortSignal,
    { account, cluster, epoch }: SessionKey,
    reserve: boolean,
  ): Promise<void> {
    this.closed.push({ account, cluster, epoch });
    if (reserve) {
      this.reserved.push(epoch);
      return;
    }
    if (this.#active.get(cluster)?.epoch === epoch) {
      this.#active.delete(cluster);
    }
  }

  async keepSessions(_signal: AbortSignal, sessions: readonly SessionKey[]): Promise<EndedSession[]> {
    this.kept.push([...sessions]);
    return this.ended.filter(({ session }) => sessions.some(({ epoch }) => epoch === session.epoch));
  }

  async keepStandbys(_signal: AbortSignal, standbys: readonly StandbyAgent[]): Promise<StandbyKey[]> {
    this.keptStandbys.push([...standbys]);
    return standbys.filter(({ cluster }) => !this.#active.has(cluster) || this.silent.has(cluster));
  }

  async removeStandby(_signal: AbortSignal, standby: StandbyKey): Promise<void> {
    this.removedStandbys.push(standby);
  }
}
