import pg from "pg";
import { ScriptedAgent } from "../../../test/support/backend/scripted-agent.ts";
import { createBatch, PODS } from "../tenant-bus.ts";
import type { Target } from "./target.ts";

/** A cluster of the attacker, whose row is locked until it is disposed. */
export interface LockedCluster extends AsyncDisposable {
  /** Sends a change of the locked row, which waits, and connects agents that wait for the session. */
  changeAndConnect(): AsyncDisposable;
}

const LOCKED = "locked";
/** Agents that wait for the session of the locked cluster. */
export const WAITING_AGENTS = 10;

/** Opens a cluster with one object, and locks its row by a transaction that stays open. */
export async function lockCluster(target: Target): Promise<LockedCluster> {
  await using stack = new AsyncDisposableStack();
  const agent = stack.use(await openAgent(target, LOCKED));
  await changeObject(agent, 1);
  const locker = new pg.Client({ connectionString: target.databaseUrl });
  await locker.connect();
  stack.defer(() => locker.end());
  await locker.query("BEGIN");
  await locker.query(`SELECT 1 FROM kubernetes_object WHERE cluster = '${LOCKED}' FOR UPDATE`);
  const moved = stack.move();
  return {
    changeAndConnect() {
      agent.send({ case: "batch", value: createBatch(0, 1, 1_000, 2) });
      const agents = Array.from(
        { length: WAITING_AGENTS },
        () => new ScriptedAgent(target.url, target.token),
      );
      for (const [index, each] of agents.entries()) {
        void each
          .park(`agent-${index}`, { cluster: LOCKED })
          .then(() => endAtDrain(each))
          .catch(() => {});
      }
      endAtDrain(agent).catch(() => {});
      return {
        async [Symbol.asyncDispose]() {
          await Promise.all(agents.map((each) => each[Symbol.asyncDispose]()));
        },
      };
    },
    [Symbol.asyncDispose]: () => moved.disposeAsync(),
  };
}

/** Opens a session of a cluster of the attacker, whose scope is pods. */
export async function openAgent({ url, token }: Target, cluster: string): Promise<ScriptedAgent> {
  const agent = new ScriptedAgent(url, token);
  await agent.open({ cluster });
  agent.send({ case: "scopeDeclared", value: { generation: 1n, resources: [{ resourceType: PODS }] } });
  await agent.acknowledged();
  return agent;
}

/** Changes the object of a cluster, and waits for the acknowledgement. */
export async function changeObject(agent: ScriptedAgent, version: number): Promise<void> {
  agent.send({ case: "batch", value: createBatch(0, 1, 1_000, version) });
  await agent.acknowledged();
}

/** Reads until the server drains the stream, and ends it then, as agents do. */
async function endAtDrain(agent: ScriptedAgent): Promise<void> {
  for (;;) {
    const { message } = await agent.next();
    if (message.case === "drain") {
      agent.end();
    }
  }
}
