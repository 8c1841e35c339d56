import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe } from "vitest";
import { findBrokerDistribution } from "../../../deploy/local/components/broker-distribution.ts";
import { type Broker, startBroker } from "../../../deploy/local/components/broker-server.ts";
import { findControlPlaneBinaries } from "../../../deploy/local/components/control-plane-binaries.ts";
import {
  type ControlPlane,
  startControlPlane,
} from "../../../deploy/local/components/control-plane-server.ts";
import { found } from "../../../deploy/local/components/missing.ts";
import { findPostgresBinaries } from "../../../deploy/local/components/postgres-binaries.ts";
import { type OwnPostgres, startOwnPostgres } from "../../../deploy/local/components/postgres-server.ts";
import { createReaper } from "../../../deploy/local/components/reaper.ts";
import { writeAuditPolicy } from "./audit-log.ts";

/** The servers that the scenarios of a file share. */
export interface Servers {
  readonly broker: Broker;
  /** A Postgres that keeps each commit, as in production. */
  readonly postgres: OwnPostgres;
  readonly controlPlane: ControlPlane;
  /** File with the deletions that the API server received. */
  readonly auditLogPath: string;
}

/** Programs may be built and downloaded first, once per machine. */
const startTimeoutMs = 30 * 60_000;

/**
 * `describe` for chaos tests. Without one of the servers they are skipped, and the name has the reason.
 */
export function describeChaos(name: string, body: (servers: () => Servers) => void): void {
  const sources = [findBrokerDistribution(), findPostgresBinaries(), findControlPlaneBinaries()];
  const missing = sources.flatMap((source) => ("missing" in source ? [source.missing] : []));
  let servers: (Servers & AsyncDisposable) | undefined;
  const get = (): Servers => {
    if (servers === undefined) {
      throw new Error("servers: not available while tests are collected; call it inside a test or a hook");
    }
    return servers;
  };
  if (missing.length > 0) {
    describe.skip(`${name} (skipped: ${missing.join("; ")})`, () => body(get));
    return;
  }
  describe(name, () => {
    beforeAll(async () => {
      servers = await startServers();
    }, startTimeoutMs);
    afterAll(async () => {
      await servers?.[Symbol.asyncDispose]();
    });
    body(get);
  });
}

async function startServers(): Promise<Servers & AsyncDisposable> {
  await using stack = new AsyncDisposableStack();
  const reaper = stack.use(createReaper());
  const directory = mkdtempSync(join(tmpdir(), "evenkeel-chaos-"));
  reaper.add({ type: "dir", path: directory });
  stack.defer(() => rmSync(directory, { recursive: true, force: true }));
  const audit = { policyPath: join(directory, "policy.json"), logPath: join(directory, "audit.log") };
  writeAuditPolicy(audit.policyPath);
  const distribution = found(findBrokerDistribution());
  // The broker checks quotas once a minute by default.
  const settings = { backlogQuotaCheckIntervalInSeconds: 1 };
  const started = await Promise.allSettled([
    startBroker({ distribution, reaper, settings }),
    startOwnPostgres(found(findPostgresBinaries()), reaper, { durable: true }),
    startControlPlane(reaper, { audit }),
  ]);
  for (const server of started) {
    if (server.status === "fulfilled") {
      stack.defer(() => server.value.stop());
    }
  }
  const [broker, postgres, controlPlane] = started.map((server) => {
    if (server.status === "rejected") {
      throw server.reason;
    }
    return server.value;
  }) as [Broker, OwnPostgres, ControlPlane];
  const disposal = stack.move();
  return {
    broker,
    postgres,
    controlPlane,
    auditLogPath: audit.logPath,
    [Symbol.asyncDispose]: () => disposal.disposeAsync(),
  };
}
