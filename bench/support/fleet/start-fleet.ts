import { setTimeout as sleep } from "node:timers/promises";
import type { ReportingProcess } from "../reporting-process.ts";
import type { World } from "../world.ts";
import type {
  FleetAgentsOrder,
  FleetAgentsReport,
  FleetApiOrder,
  FleetApiReport,
  FleetCluster,
  ObjectState,
  Samples,
} from "./messages.ts";

/** A cluster, and its agent's account and token. */
export interface FleetMember extends FleetCluster {
  /** Unset for servers without authentication. */
  readonly token?: string;
}

/** Simulated clusters in one process, and their agents in others. */
export interface Fleet extends AsyncDisposable {
  readonly apiPid: number;
  readonly agentPids: readonly number[];
  /** Creates the clusters with their objects. */
  create(members: readonly FleetMember[], objects: number, contentBytes: number): Promise<void>;
  startAgents(servers: readonly string[]): Promise<void>;
  /** Changes objects all the time, one every `everyMs`. */
  startChanges(everyMs: number): void;
  /** Returns the changes per second. */
  stopChanges(): Promise<number>;
  /** Returns the times of the changes whose rows were seen since the last call. */
  takeSamples(): Promise<Samples>;
  /** Returns the objects of each cluster. */
  list(): Promise<ReadonlyMap<string, readonly ObjectState[]>>;
  /** Waits until the sampled changes have rows and the condition holds, for at most four minutes. */
  settle(isDone: () => Promise<boolean>): Promise<void>;
  /** Returns the errors with which agents have ended. */
  failures(): readonly string[];
}

const SETTLE_MS = 240_000;

/** Starts the processes of a fleet without clusters. */
export async function startFleet(world: World, databaseUrl: string, agentProcesses: number): Promise<Fleet> {
  await using stack = new AsyncDisposableStack();
  const api = stack.use(world.startProcess<FleetApiOrder, FleetApiReport>("fleet/api-process.ts"));
  const agents = Array.from({ length: agentProcesses }, () =>
    stack.use(world.startProcess<FleetAgentsOrder, FleetAgentsReport>("fleet/agents-process.ts")),
  );
  const failures: string[] = [];
  let members: readonly FleetMember[] = [];
  let urls: Readonly<Record<string, string>> = {};
  for (const each of agents) {
    void collectFailures(each, failures);
  }
  const kept: number[] = [];
  const countWaiting = async (): Promise<number> => {
    api.order({ type: "sample" });
    const { latencies, waiting } = await api.next("sampled");
    kept.push(...latencies);
    return waiting;
  };
  const moved = stack.move();
  return {
    apiPid: api.pid,
    agentPids: agents.map(({ pid }) => pid),
    async create(created, objects, contentBytes) {
      members = created;
      const clusters = created.map(({ account, cluster }) => ({ account, cluster }));
      api.order({ type: "create", clusters, objects, contentBytes, databaseUrl });
      ({ urls } = await api.next("created"));
    },
    async startAgents(servers) {
      for (const [at, each] of agents.entries()) {
        const own = members.filter((_, index) => index % agents.length === at);
        each.order({
          type: "start",
          agents: own.map((member) => ({ ...member, apiUrl: urls[member.cluster] ?? "" })),
          servers,
        });
        await each.next("started");
      }
    },
    startChanges: (everyMs) => api.order({ type: "change", everyMs }),
    async stopChanges() {
      api.order({ type: "stop" });
      const { changes, seconds } = await api.next("stopped");
      return changes / seconds;
    },
    async takeSamples() {
      const waiting = await countWaiting();
      return { latencies: kept.splice(0), waiting };
    },
    async list() {
      api.order({ type: "list" });
      const objects = new Map<string, readonly ObjectState[]>();
      while (objects.size < members.length) {
        const report = await api.next("objects");
        objects.set(report.cluster, report.objects);
      }
      return objects;
    },
    async settle(isDone) {
      const deadline = performance.now() + SETTLE_MS;
      while (((await countWaiting()) > 0 || !(await isDone())) && performance.now() < deadline) {
        await sleep(500);
      }
    },
    failures: () => failures,
    [Symbol.asyncDispose]: () => moved.disposeAsync(),
  };
}

async function collectFailures(
  agents: ReportingProcess<FleetAgentsOrder, FleetAgentsReport>,
  failures: string[],
): Promise<void> {
  try {
    for (;;) {
      failures.push((await agents.next("failed")).message);
    }
  } catch {
    // The process has ended.
  }
}
