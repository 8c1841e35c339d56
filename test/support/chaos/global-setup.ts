import type { TestProject } from "vitest/node";
import type { ChaosServers } from "./servers.ts";
import {
  findMissingServers,
  startAuditedControlPlane,
  startChaosBroker,
  startChaosPostgres,
} from "./start-servers.ts";

let servers: AsyncDisposable | undefined;

/** Starts the servers that the scenarios share, before the first test file. */
export async function setup(project: TestProject): Promise<void> {
  const missing = findMissingServers();
  project.provide("chaosServers", missing.length > 0 ? { missing } : await start());
}

/** Runs after the last test file, also after an interrupt. */
export async function teardown(): Promise<void> {
  await servers?.[Symbol.asyncDispose]();
}

async function start(): Promise<ChaosServers> {
  const stack = new AsyncDisposableStack();
  servers = stack;
  const use = async <T extends AsyncDisposable>(started: Promise<T>): Promise<T> => stack.use(await started);
  // Now, because a broker that starts among scenarios takes minutes.
  const [broker, another, postgres, { controlPlane, auditLogPath }] = await Promise.all([
    use(startChaosBroker()),
    use(startChaosBroker()),
    use(startChaosPostgres()),
    use(startAuditedControlPlane()),
  ]);
  const brokerToFreeze = { ...another, processId: another.processId() };
  // Test files get the addresses as JSON: only the file that starts a server may stop it.
  return JSON.parse(JSON.stringify({ broker, brokerToFreeze, postgres, controlPlane, auditLogPath }));
}
