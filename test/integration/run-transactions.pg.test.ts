import { expect, it } from "vitest";
import { FleetService } from "../../gen/proto/evenkeel/v1/fleet_service_pb.ts";
import { createSeededRandom } from "../../src/lib/random.ts";
import { runAgentOn } from "../../src/main/agent.ts";
import { createRuntime } from "../../src/main/runtime.ts";
import { startServer } from "../../src/main/server.ts";
import { createDatabase } from "../../src/store/postgres/database.ts";
import { customTypes, defineCustomTypes } from "../support/agent/custom-types.ts";
import { eventually } from "../support/e2e/eventually.ts";
import { callFleet, listSucceededRuns } from "../support/e2e/fleet-api.ts";
import { createSimulatedKube } from "../support/e2e/simulated-kube.ts";
import { describeWithOwnPostgres } from "../support/postgres/own-postgres.ts";
import { createTestLog } from "../support/vitest/test-log.ts";

const FEW = 5;
const MANY = 60;

describeWithOwnPostgres("a run without differences", (postgres) => {
  it(`costs as many transactions over ${MANY} resource types as over ${FEW} (L34)`, async () => {
    const few = await measureRun(postgres().url, FEW);
    const many = await measureRun(postgres().url, MANY);
    expect(few.messages).toBeLessThanOrEqual(FEW);
    // A run that takes seconds on a busy machine has a message for each.
    expect(many.messages).toBeLessThanOrEqual(MANY / 6);
    expect(many.transactions).toBeLessThanOrEqual(few.transactions + MANY / 6);
  });
});

/**
 * Returns the messages of the agent in a run over this many unchanged resource types, and the transactions that write:
 * only they take an ID.
 */
async function measureRun(url: string, types: number) {
  await using stack = new AsyncDisposableStack();
  const kube = stack.use(await createSimulatedKube(createSeededRandom(types)));
  defineCustomTypes(kube.cluster, customTypes(types));
  const database = stack.use(createDatabase({ url }));
  const runtime = createRuntime(createTestLog());
  const stop = new AbortController();
  const server = await startServer(stop.signal, {
    host: "127.0.0.1",
    port: 0,
    auth: { type: "none" },
    database,
    reconcileIntervalMs: 3_600_000,
    runDeadlineMs: 60_000,
    runtime,
  });
  const cluster = `with-${types}-types`;
  const agent = runAgentOn(
    stop.signal,
    {
      server: server.url,
      cluster,
      resources: ["*.example.com"],
      excludeResources: [],
      namespaces: [],
      token: undefined,
      tokenFile: undefined,
    },
    { type: "kubeconfig", path: kube.kubeconfigPath },
    runtime,
  );
  const succeeded = async (count: number): Promise<void> => {
    await eventually(`run ${count}`, async () => {
      expect(await listSucceededRuns(server.url, cluster)).toHaveLength(count);
    });
  };
  const count = async () => {
    const { rows } = await database.pool.query<{ messages: string; transactions: string }>(
      `SELECT applied_sequence AS messages, pg_snapshot_xmax(pg_current_snapshot())::text AS transactions
       FROM agent_session WHERE cluster = $1`,
      [cluster],
    );
    return { messages: Number(rows[0]?.messages), transactions: Number(rows[0]?.transactions) };
  };
  await succeeded(1);
  const before = await count();
  await callFleet(server.url, FleetService.method.startReconciliation, { cluster });
  await succeeded(2);
  const after = await count();
  stop.abort();
  await Promise.all([agent, server.ended]);
  return {
    messages: after.messages - before.messages,
    transactions: after.transactions - before.transactions,
  };
}
