import { TerminalError } from "../../../src/lib/errors.ts";
import type {
  OpenedSession,
  SessionKey,
  SessionRequest,
  SessionRestart,
  SessionStore,
} from "../../../src/store/session-store.ts";
import { requestOf } from "./session-for-test.ts";

/** Sessions in memory: epochs from 1, a uid that is bound to the name, a run for each new process. */
export class RecordingSessionStore implements SessionStore {
  readonly opened: SessionRequest[] = [];
  readonly closed: SessionKey[] = [];
  readonly kept: SessionKey[][] = [];
  /** Sessions that were replaced at another backend. */
  replaced: readonly SessionKey[] = [];
  /** Sessions that must restart. */
  restarts: readonly SessionRestart[] = [];
  #lastEpoch = 0n;

  async openSession(_signal: AbortSignal, request: SessionRequest): Promise<OpenedSession> {
    const last = this.opened.findLast(({ cluster }) => cluster === request.cluster);
    if (last !== undefined && last.clusterUid !== request.clusterUid) {
      throw new TerminalError(`cluster "${request.cluster}" is bound to kube-system uid ${last.clusterUid}`);
    }
    this.opened.push(request);
    this.#lastEpoch += 1n;
    const { account, cluster } = request;
    const connectRun = last?.instanceId === request.instanceId ? undefined : requestOf();
    return { account, cluster, epoch: this.#lastEpoch, connectRun, storedScope: [] };
  }

  async closeSession(_signal: AbortSignal, { account, cluster, epoch }: SessionKey): Promise<void> {
    this.closed.push({ account, cluster, epoch });
  }

  async keepSessions(_signal: AbortSignal, sessions: readonly SessionKey[]): Promise<SessionKey[]> {
    this.kept.push([...sessions]);
    return sessions.filter(({ epoch }) => this.replaced.some((key) => key.epoch === epoch));
  }

  async listRestarts(): Promise<SessionRestart[]> {
    return [...this.restarts];
  }
}
