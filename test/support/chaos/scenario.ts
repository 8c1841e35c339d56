import { Agent } from "node:https";
import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "vitest";
import { query, withDatabase } from "../../../deploy/local/components/postgres-server.ts";
import { applyTopology } from "../../../src/bus/pulsar/topology/apply-topology.ts";
import { createTopology } from "../../../src/event/pulsar-topology.ts";
import { createSeededRandom, type Random } from "../../../src/lib/random.ts";
import { migrate } from "../../../src/store/postgres/migrate.ts";
import { administer, newTenant } from "../bus/pulsar-tenant.ts";
import { eventually } from "../e2e/eventually.ts";
import { createKubeClient } from "../kube/kube-client.ts";
import { checkCopy, untilVerified } from "./check-copy.ts";
import { churn, prepareChurn } from "./churn.ts";
import { type ChaosFleet, type FleetOptions, startChaosFleet, type Tenancy } from "./fleet.ts";
import { findErrorLines } from "./program-logs.ts";
import { recordState } from "./record-state.ts";
import { recordRowHistory } from "./row-history.ts";
import type { SharedServers } from "./servers.ts";

/** Variable that repeats the random choices of a scenario. */
const SEED_VARIABLE = "EVENKEEL_SEED";

/**
 * Time for the first copy, and for the copy after the faults, in milliseconds. A program needs up to 40 s to detect a
 * silent peer and then up to 30 s to connect again; a busy machine doubles that.
 */
const FIRST_COPY_MS = 180_000;
const RECOVERY_MS = 180_000;

const DEFAULT_TEXT_BYTES = 600;

/** Changes of each cluster before the first fault: a fault that stops them at once would find nothing to lose. */
const MIN_CHANGES = 10;

/** A scenario's size and expectations. */
export interface ScenarioOptions {
  /** Unique. It names the database and the namespaces. */
  readonly name: string;
  readonly size: FleetOptions["size"];
  /** Resource types that the agents read; default: three. */
  readonly resources?: string;
  /** Bytes of the largest object that the churn writes; default 600. */
  readonly maxTextBytes?: number;
  /** True if etcd is restored. */
  readonly isEtcdRestored?: boolean;
  /** True if the faults lose changes, so that runs repair rows. */
  readonly areRepairsExpected?: boolean;
  /** Errors in the logs of the programs that the scenario causes. */
  readonly expectedErrors?: readonly RegExp[];
}

/** A running scenario, under churn. */
export interface Scenario extends ChaosFleet {
  readonly servers: SharedServers;
  readonly random: Random;
  readonly databaseUrl: string;
  /** Two accounts, each with a cluster of the same name. */
  readonly tenancies: readonly [Tenancy, Tenancy];
  /** Tenant of the scenario's topics. */
  readonly busTenant: string;
  /** Churns for a random time of up to `maxMs`. */
  pause(maxMs: number): Promise<void>;
  /** Waits until runs that begin later have verified both clusters: all programs work again. */
  untilVerified(): Promise<void>;
}

/**
 * Runs a scenario: starts programs for two accounts, waits for their first copies, causes faults under churn, and checks
 * the copies and the logs after the end of both.
 */
export async function runScenario(
  servers: SharedServers,
  options: ScenarioOptions,
  causeFaults: (scenario: Scenario) => Promise<void>,
): Promise<void> {
  const seed = Number(process.env[SEED_VARIABLE] ?? Math.floor(Math.random() * 2 ** 32));
  console.info(`${options.name}: ${SEED_VARIABLE}=${seed}`);
  const random = createSeededRandom(seed);
  using stack = new DisposableStack();
  const connections = stack.adopt(new Agent({ keepAlive: true }), (agent) => agent.destroy());
  const kube = createKubeClient(servers.controlPlane, connections);
  const tenancies = [toTenancy(options, "acme"), toTenancy(options, "globex")] as const;
  const { maxTextBytes = DEFAULT_TEXT_BYTES, expectedErrors = [] } = options;
  const { isEtcdRestored = false, areRepairsExpected = false } = options;
  const churns = tenancies.map(({ namespace }, index) => ({
    ...{ kube, namespace, maxTextBytes },
    random: createSeededRandom(seed + index + 1),
  }));
  await Promise.all(churns.map(prepareChurn));
  const databaseUrl = await createDatabase(servers, options.name);
  const busTenant = newTenant();
  if (options.size !== "server") {
    await createTopics(servers, busTenant);
  }
  await using fleet = await startChaosFleet({
    ...{ databaseUrl, tenancies, size: options.size },
    kubeconfigPath: servers.controlPlane.kubeconfigPath,
    bus: { webSocketUrl: servers.broker.webSocketUrl, tenant: busTenant },
    resources: options.resources ?? "configmaps,serviceaccounts,services",
  });
  const check = async (recoveryMs: number): Promise<void> => {
    const checks = tenancies.map(async (tenancy) => {
      const others = tenancies.filter((other) => other !== tenancy).map(({ namespace }) => namespace);
      const { auditLogPath } = servers;
      await checkCopy({
        ...{ databaseUrl, kube, auditLogPath, tenancy, others },
        ...{ recoveryMs, isEtcdRestored, areRepairsExpected },
      });
    });
    // Both end before the servers stop, even if one fails.
    await Promise.allSettled(checks);
    await Promise.all(checks);
    expect(findErrorLines(fleet.programs, expectedErrors), "errors in the logs").toEqual([]);
  };
  await check(FIRST_COPY_MS);
  const stop = new AbortController();
  const changes = churns.map(() => 0);
  const churning = Promise.all(
    churns.map((one, index) =>
      churn(stop.signal, one, () => {
        changes[index] = (changes[index] ?? 0) + 1;
      }),
    ),
  );
  try {
    await eventually("changes before the first fault", () =>
      expect(Math.min(...changes)).toBeGreaterThan(MIN_CHANGES),
    );
    const pause = (maxMs: number): Promise<void> => sleep(random.float() * maxMs);
    await causeFaults({
      ...{ ...fleet, servers, random, databaseUrl, tenancies, busTenant, pause },
      async untilVerified() {
        for (const tenancy of tenancies) {
          await untilVerified({ databaseUrl, tenancy, recoveryMs: RECOVERY_MS });
        }
      },
    });
    stop.abort();
    await churning;
    await check(RECOVERY_MS);
  } catch (error) {
    await recordState({ databaseUrl, busTenant, adminUrl: servers.broker.adminUrl });
    throw error;
  } finally {
    stop.abort();
    await churning;
  }
}

function toTenancy({ name }: ScenarioOptions, account: string): Tenancy {
  return { account, cluster: "main", namespace: `${name}-${account}` };
}

async function createDatabase({ postgres }: SharedServers, name: string): Promise<string> {
  const database = `chaos_${name.replaceAll("-", "_")}`;
  await query(postgres.url, `CREATE DATABASE ${database}`);
  const url = withDatabase(postgres.url, database);
  await migrate(url);
  await recordRowHistory(url);
  return url;
}

async function createTopics({ broker }: SharedServers, tenant: string): Promise<void> {
  const topology = createTopology({
    partitions: 4,
    backlogBytes: 1024 ** 3,
    eventRetentionMs: undefined,
    deadLetterRetentionMs: 3_600_000,
    limits: {},
  });
  const admin = administer(broker.adminUrl, tenant);
  await applyTopology(AbortSignal.timeout(60_000), admin, { tenant, topology, mayChange: () => true });
}
