import { setTimeout as sleep } from "node:timers/promises";
import type { ReportingProcess } from "../reporting-process.ts";
import type { World } from "../world.ts";
import type {
  FleetAgentsOrder,
  FleetAgentsReport,
  FleetApiOrder,
  FleetApiReport,
  ObjectState,
} from "./messages.ts";
import { type RowSampler, startRowSampler } from "./row-sampler.ts";

/** A cluster, and its agent's account and token. */
export interface FleetMember {
  readonly account: string;
  readonly cluster: string;
  /** Unset for servers without authentication. */
  readonly token?: string;
}

/** Simulated clusters in one process, and their agents in others. */
export interface Fleet extends AsyncDisposable {
  readonly apiPid: number;
  readonly agentPids: readonly number[];
  readonly sampler: RowSampler;
  /** Creates the clusters with their objects. */
  create(members: readonly FleetMember[], objects: number, contentBytes: number): Promise<void>;
  startAgents(servers: readonly string[]): Promise<void>;
  /** Changes objects all the time, one every `everyMs`. */
  startChanges(everyMs: number): void;
  /** Returns the changes per second. */
  stopChanges(): Promise<number>;
  /** Returns the objects of each cluster. */
  list(): Promise<ReadonlyMap<string, readonly ObjectState[]>>;
  /** Waits until the sampled changes have rows and the condition holds, for at most a minute. */
  settle(isDone: () => Promise<boolean>): Promise<void>;
  /** Returns the errors with which agents have ended. */
  failures(): readonly string[];
}

const SETTLE_MS = 60_000;

/** Starts the processes of a fleet without clusters. */
export async function startFleet(world: World, databaseUrl: string, agentProcesses: number): Promise<Fleet> {
  await using stack = new AsyncDisposableStack();
  const sampler = stack.use(await startRowSampler(databaseUrl));
  const api = stack.use(world.startProcess<FleetApiOrder, FleetApiReport>("fleet/api-process.ts"));
  const agents = Array.from({ length: agentProcesses }, () =>
    stack.use(world.startProcess<FleetAgentsOrder, FleetAgentsReport>("fleet/agents-process.ts")),
  );
  const failures: string[] = [];
  const accounts = new Map<string, string>();
  let members: readonly FleetMember[] = [];
  let urls: Readonly<Record<string, string>> = {};
  void collectSamples(api, accounts, sampler);
  for (const each of agents) {
    void collectFailures(each, failures);
  }
  const moved = stack.move();
  return {
    apiPid: api.pid,
    agentPids: agents.map(({ pid }) => pid),
    sampler,
    async create(created, objects, contentBytes) {
      members = created;
      for (const { cluster, account } of created) {
        accounts.set(cluster, account);
      }
      api.order({ type: "create", clusters: [...accounts.keys()], objects, contentBytes });
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
    async list() {
      api.order({ type: "list" });
      const objects = new Map<string, readonly ObjectState[]>();
      while (objects.size < accounts.size) {
        const report = await api.next("objects");
        objects.set(report.cluster, report.objects);
      }
      return objects;
    },
    async settle(isDone) {
      const deadline = performance.now() + SETTLE_MS;
      while ((sampler.waiting > 0 || !(await isDone())) && performance.now() < deadline) {
        await sleep(500);
      }
    },
    failures: () => failures,
    [Symbol.asyncDispose]: () => moved.disposeAsync(),
  };
}

/** Adds the sampled changes until the process ends. */
async function collectSamples(
  api: ReportingProcess<FleetApiOrder, FleetApiReport>,
  accounts: ReadonlyMap<string, string>,
  sampler: RowSampler,
): Promise<void> {
  try {
    for (;;) {
      const change = await api.next("changed");
      sampler.add(accounts.get(change.cluster) ?? "", change);
    }
  } catch {
    // The process has ended.
  }
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
